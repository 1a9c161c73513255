// Runs one function for one event. KeyValueStore reads wait in a list until Python answers them: they are as asynchronous as on
// CloudFront, and the engine keeps its time limit, which forbids calls into Python.
const __host = (function () {
  "use strict";
  let reads, logged, custom, edits, outcome, place, stores;

  function read(operation, store, key, format) {
    return new Promise(function (resolve, reject) {
      reads.push({ operation: operation, store: store, key: key, resolve: resolve, reject: reject, format: format });
    });
  }

  function formatted(value, format) {
    if (format === "json") return JSON.parse(value);
    if (format === "bytes") return Buffer.from(value);
    if (format === undefined || format === "string") return value;
    throw new TypeError("unknown format: \"" + format + "\"");
  }

  const cloudfront = {
    kvs: function (id) {
      if (stores === 0) throw new Error("no KeyValueStore is associated with this function");
      const store = id === undefined ? "" : String(id);
      return {
        get: function (key, options) { return read("get", store, String(key), options && options.format); },
        exists: function (key) { return read("exists", store, String(key)); },
        count: function () { return read("count", store); },
        meta: function () { return read("meta", store); },
      };
    },
    updateRequestOrigin: function (parameters) { edits.push({ kind: "update", parameters: parameters }); },
    selectRequestOriginById: function (id, parameters) { edits.push({ kind: "select", id: id, parameters: parameters }); },
    createRequestOriginGroup: function (parameters) { edits.push({ kind: "group", parameters: parameters }); },
    logCustomData: function (data) { custom.push(String(data)); },
  };
  Object.defineProperty(cloudfront, "edgeLocation", { enumerable: true, get: function () { return place; } });
  __modules.cloudfront = cloudfront;

  function require(name) {
    const found = __modules[name];
    if (!found) throw new Error("Cannot load module \"" + name + "\"");
    return found;
  }

  function log() {
    logged.push(Array.prototype.map.call(arguments, function (part) {
      return typeof part === "string" ? part : JSON.stringify(part);
    }).join(" "));
  }
  const console = { log: log, error: log, warn: log, info: log, debug: log };

  function failed(error) {
    const told = error instanceof Error ? error.name + ": " + error.message + "\n" + (error.stack || "") : String(error);
    outcome = { error: told };
  }

  function poll() {
    if (outcome !== undefined) {
      return JSON.stringify({ outcome: outcome, log: logged, custom: custom, edits: edits });
    }
    return reads.length === 0 ? "" : JSON.stringify({ reads: reads });
  }

  return {
    start: function (factory, input) {
      reads = []; logged = []; custom = []; edits = []; outcome = undefined;
      const given = JSON.parse(input);
      place = given.place;
      stores = given.stores;
      try {
        const handler = factory(require, console);
        if (typeof handler !== "function") throw new ReferenceError("the function does not define a handler");
        const answer = handler(given.event);
        if (answer instanceof Promise) answer.then(function (value) { outcome = { value: value }; }, failed);
        else outcome = { value: answer };
      } catch (error) {
        failed(error);
      }
      return poll();
    },
    settle: function (answers) {
      const waiting = reads;
      reads = [];
      JSON.parse(answers).forEach(function (answer, at) {
        const item = waiting[at];
        if ("error" in answer) { item.reject(new Error(answer.error)); return; }
        try {
          item.resolve(item.operation === "get" ? formatted(answer.value, item.format) : answer.value);
        } catch (error) {
          item.reject(error);
        }
      });
    },
    poll: poll,
  };
})();
