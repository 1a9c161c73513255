// performance.getEntries… and PerformanceObserver, which jsdom lacks: navigation, resource, mark and measure entries.

export class Timeline {
  #entries = [];
  #observers = new Set();

  constructor(window) {
    this.window = window;
    this.origin = performance.now();
  }

  now = () => performance.now() - this.origin;

  /** The entry of the document itself, whose times come as they pass. */
  navigation(answer, type) {
    const { window } = this;
    const entry = this.request(answer, { entryType: "navigation", initiatorType: "navigation", shown: true });
    Object.assign(entry, { type, domInteractive: 0, domComplete: 0 });
    const follow = (event, before, start, end) => {
      entry[start] = entry[end] = 0;
      window.addEventListener(event, () => {
        entry[before] = entry[start] = this.now();
        // Listeners of the page see the start; the end comes after them.
        setTimeout(() => (entry[end] = entry.duration = this.now()), 0);
      });
    };
    follow("DOMContentLoaded", "domInteractive", "domContentLoadedEventStart", "domContentLoadedEventEnd");
    follow("load", "domComplete", "loadEventStart", "loadEventEnd");
  }

  /** @param shown whether the page may see the details: same origin, or Timing-Allow-Origin */
  request(answer, { entryType, initiatorType, shown }) {
    const { headers } = answer;
    const started = answer.started - this.origin;
    const finished = answer.finished - this.origin;
    const size = answer.bytes ?? 0;
    const entry = {
      name: answer.requested ?? answer.url,
      entryType,
      initiatorType,
      startTime: entryType === "navigation" ? 0 : started,
      fetchStart: started,
      requestStart: shown ? started : 0,
      responseStart: shown ? finished : 0,
      responseEnd: finished,
      duration: entryType === "navigation" ? 0 : finished - started,
      nextHopProtocol: shown ? "http/1.1" : "",
      responseStatus: shown ? answer.status : 0,
      transferSize: !shown || answer.fromCache ? 0 : size + 300,
      encodedBodySize: shown ? size : 0,
      decodedBodySize: shown ? answer.body.length : 0,
      serverTiming: shown ? parseServerTiming(headers["server-timing"]) : [],
    };
    this.add(entry);
    return entry;
  }

  add(entry) {
    entry.toJSON = () => ({ ...entry, toJSON: undefined });
    this.#entries.push(entry);
    for (const observer of this.#observers) observer.offer(entry);
  }

  install() {
    const { window } = this;
    const sorted = (keep) =>
      window.Array.from(this.#entries.filter(keep)).sort((one, other) => one.startTime - other.startTime);
    const lists = (source) => ({
      getEntries: () => source(() => true),
      getEntriesByType: (type) => source((entry) => entry.entryType === type),
      getEntriesByName: (name, type) => source((entry) => entry.name === name && (!type || entry.entryType === type)),
    });
    const clear = (type) => (name) => {
      this.#entries = this.#entries.filter((entry) => entry.entryType !== type || (name && entry.name !== name));
    };
    const at = (mark, otherwise) => {
      if (mark === undefined) return otherwise;
      if (typeof mark === "number") return mark;
      return (
        this.#entries.findLast(({ name, entryType }) => name === mark && entryType === "mark")?.startTime ?? otherwise
      );
    };
    const own = {
      now: this.now,
      ...lists(sorted),
      mark: (name, options) => {
        const entry = {
          name,
          entryType: "mark",
          startTime: options?.startTime ?? this.now(),
          duration: 0,
          detail: options?.detail ?? null,
        };
        this.add(entry);
        return entry;
      },
      measure: (name, from, to) => {
        const { start = from, end = to, detail = null } = typeof from === "object" && from ? from : {};
        const startTime = at(start, 0);
        const entry = { name, entryType: "measure", startTime, duration: at(end, this.now()) - startTime, detail };
        this.add(entry);
        return entry;
      },
      clearMarks: clear("mark"),
      clearMeasures: clear("measure"),
      clearResourceTimings: clear("resource"),
      setResourceTimingBufferSize() {},
    };
    for (const [name, value] of Object.entries(own)) {
      Object.defineProperty(window.performance, name, { value, configurable: true, writable: true });
    }
    const timeline = this;
    window.PerformanceObserver = class PerformanceObserver {
      static supportedEntryTypes = ["mark", "measure", "navigation", "resource"];
      #types = new Set();
      #waiting = [];
      #callback;

      constructor(callback) {
        this.#callback = callback;
      }

      observe({ type, entryTypes = [], buffered = false }) {
        for (const wanted of type ? [type] : entryTypes) this.#types.add(wanted);
        timeline.#observers.add(this);
        if (buffered) timeline.#entries.forEach((entry) => this.offer(entry));
      }

      offer(entry) {
        if (!this.#types.has(entry.entryType)) return;
        if (this.#waiting.push(entry) > 1) return;
        window.setTimeout(() => {
          const entries = this.takeRecords();
          if (entries.length)
            this.#callback(
              lists((keep) => window.Array.from(entries.filter(keep))),
              this,
            );
        }, 0);
      }

      takeRecords() {
        return this.#waiting.splice(0);
      }

      disconnect() {
        timeline.#observers.delete(this);
      }
    };
  }
}

/** `name;dur=1;desc="text", …` as a browser reads it. */
export function parseServerTiming(header) {
  if (!header) return [];
  return [...header.matchAll(/([^\s,;="]+)((?:\s*;\s*[^\s,;="]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s,;"]*))*)/g)].map(
    ([, name, rest]) => {
      const metric = { name, duration: 0, description: "" };
      for (const [, key, quoted, plain] of rest.matchAll(
        /;\s*([^\s,;="]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*))/g,
      )) {
        const value = quoted?.replace(/\\(.)/g, "$1") ?? plain;
        if (key.toLowerCase() === "dur") metric.duration = Number(value) || 0;
        if (key.toLowerCase() === "desc") metric.description = value;
      }
      return metric;
    },
  );
}
