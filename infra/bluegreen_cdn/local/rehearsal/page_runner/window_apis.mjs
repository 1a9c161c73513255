// What a page expects of its window, what matters to a release, and jsdom leaves out: fetch and beacons, cookies,
// reportError, timers that can be waited for.

import { reportException } from "./jsdom_extension.mjs";
import { installStandIns } from "./stand_ins.mjs";

export function installWindowApis(window, page) {
  const hostPromise = (work) =>
    new window.Promise((resolve, reject) => work().then(resolve, (error) => reject(page.translate(error))));
  const { document } = window;

  Object.defineProperty(document, "cookie", {
    configurable: true,
    get: () => page.session.jar.visibleToScript(new URL(page.url)),
    set: (value) => page.session.jar.store(new URL(page.url), String(value), { fromScript: true }),
  });

  class PageRequest extends Request {
    constructor(input, { signal, ...init } = {}) {
      super(typeof input === "object" && "method" in input ? input : new URL(input, document.baseURI).href, {
        ...init,
        ...(init.body && { duplex: "half" }),
      });
      this.pageSignal = signal ?? input?.pageSignal;
      this.pageInit = { ...input?.pageInit, ...init };
    }
  }
  Object.assign(window, { Request: PageRequest, Response, Headers });

  window.fetch = (input, init = {}) =>
    hostPromise(async () => {
      const signal = init.signal ?? input?.pageSignal;
      const request = new PageRequest(input, { ...init, signal: undefined });
      const { keepalive = false, credentials = "same-origin", cache = "default", mode = "cors" } = request.pageInit;
      if (signal?.aborted) throw signal.reason;
      const body = request.body ? Buffer.from(await request.arrayBuffer()) : undefined;
      const abort = new AbortController();
      signal?.addEventListener("abort", () => abort.abort());
      let answer;
      try {
        answer = await page.work(
          page.resource(request.url, {
            kind: keepalive ? "beacon" : "fetch",
            mode,
            credentials,
            cache,
            keepalive,
            signal: abort.signal,
            reload: cache === "reload" || cache === "no-cache",
            method: request.method,
            headers: Object.fromEntries(request.headers),
            body,
          }),
        );
      } catch {
        throw signal?.aborted ? signal.reason : page.ownError("TypeError", "Failed to fetch");
      }
      return pageResponse(answer, request.url, window);
    });

  window.navigator.sendBeacon = (url, data) => {
    const target = new URL(url, document.baseURI).href;
    page
      .work(
        page.resource(target, {
          kind: "beacon",
          mode: "no-cors",
          credentials: "include",
          keepalive: true,
          method: "POST",
          body: bytes(data),
        }),
      )
      .catch(() => {});
    return true;
  };

  window.reportError = (error) => reportException(window, error, page.url);
  // A synchronous request would leave this process, and with it the loopback rule.
  const open = window.XMLHttpRequest.prototype.open;
  window.XMLHttpRequest.prototype.open = function (method, url, asynchronous = true, ...rest) {
    if (!asynchronous)
      throw new window.DOMException("synchronous requests are not supported here", "InvalidAccessError");
    return open.call(this, method, url, true, ...rest);
  };

  installTimers(window, page);
  installStandIns(window, page);
  for (const name of [
    "structuredClone",
    "TextEncoder",
    "TextDecoder",
    "CompressionStream",
    "DecompressionStream",
    "ReadableStream",
    "WritableStream",
    "TransformStream",
  ]) {
    if (!(name in window)) window[name] = globalThis[name];
  }
  if (!window.crypto.subtle) Object.defineProperty(window.crypto, "subtle", { value: globalThis.crypto.subtle });
}

/** A Response whose JSON and errors are the page's own objects. */
function pageResponse(answer, requested, window) {
  const { status, body, headers } = answer;
  const empty = [101, 204, 205, 304].includes(status);
  const response = new Response(empty ? null : body, { status, headers: flat(headers) });
  const own = (read) => () => new window.Promise((resolve) => resolve(read()));
  const properties = {
    url: answer.url,
    redirected: answer.url !== requested.replace(/#.*/, ""),
    type: "basic",
    json: own(() => window.JSON.parse(body.toString("utf8"))),
    text: own(() => body.toString("utf8")),
    arrayBuffer: own(() => new window.Uint8Array(body).buffer),
    blob: own(() => new window.Blob([new window.Uint8Array(body)], { type: headers["content-type"] ?? "" })),
    clone: () => pageResponse(answer, requested, window),
  };
  for (const [name, value] of Object.entries(properties)) Object.defineProperty(response, name, { value });
  return response;
}

export const flat = (headers) =>
  Object.entries(headers).flatMap(([name, value]) =>
    ["content-encoding", "content-length", "transfer-encoding", "connection"].includes(name)
      ? []
      : [[name, String(value)]],
  );

const bytes = (data) => {
  if (data === undefined || data === null) return undefined;
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.from(String(data));
};

/** Counts timers that will soon run, so that a page is left alone until they have; endless loops of them are not waited for. */
function installTimers(window, page) {
  const { setTimeout: start, clearTimeout: stop } = window;
  const SOON_MS = 1000;
  const DEEPEST = 12;
  let depth = 0;
  window.setTimeout = (handler, delay = 0, ...values) => {
    if (typeof handler !== "function" || delay > SOON_MS || depth >= DEEPEST) return start(handler, delay, ...values);
    const nested = depth + 1;
    const handle = start(
      (...given) => {
        page.timers.delete(handle);
        const before = depth;
        depth = nested;
        try {
          handler.apply(window, given);
        } finally {
          depth = before;
        }
      },
      delay,
      ...values,
    );
    page.timers.add(handle);
    return handle;
  };
  window.clearTimeout = (handle) => {
    page.timers.delete(handle);
    stop(handle);
  };
}
