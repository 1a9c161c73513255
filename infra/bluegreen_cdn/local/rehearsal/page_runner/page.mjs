// One document in a tab: its window, its resources, its errors.

import { Timeline } from "./timeline.mjs";
import {
  JSDOM,
  VirtualConsole,
  implementationOf,
  register,
  reportException,
  requestInterceptor,
  runScript,
} from "./jsdom_extension.mjs";
import { ModuleMap, ModuleUnavailable } from "./modules.mjs";
import { BlockedRequest } from "./transport.mjs";
import { flat, installWindowApis } from "./window_apis.mjs";

const SCRIPT_TIMEOUT_MS = 5_000;
const EMPTY = { script: "text/javascript", module: "text/javascript", style: "text/css" };
const URL_IN_STYLE = /@import[^;]*;|url\(\s*(?:"([^"]*)"|'([^']*)'|([^)\s]*))\s*\)/gi;
const FONT_FACE = /@font-face\s*{([^}]*)}/gi;

export class Page {
  timers = new Set();
  timeoutMs = SCRIPT_TIMEOUT_MS;
  #busy = 0;
  #ownErrors = new WeakSet();
  #preloaded = new Map();
  #inlineStyles = new WeakSet();
  #images = new Map();

  /** @param answer what the document's request was answered with */
  constructor(session, answer, { type, referrer, storage }) {
    this.session = session;
    this.url = answer.url;
    this.status = answer.status;
    const virtualConsole = new VirtualConsole();
    virtualConsole.on("error", (...values) => session.consoleError(values.map(readable).join(" ")));
    this.dom = new JSDOM(answer.body, {
      url: answer.url,
      contentType: answer.headers["content-type"],
      ...(referrer && { referrer }),
      runScripts: "dangerously",
      pretendToBeVisual: true,
      virtualConsole,
      resources: {
        userAgent: session.visitor.userAgent,
        interceptors: [requestInterceptor((request, { element }) => this.#intercept(request, element))],
      },
      beforeParse: (window) => this.#prepare(window, answer, type, storage),
    });
  }

  get document() {
    return this.window.document;
  }

  /** Nothing is being fetched, no script is on its way, no short timer is set. */
  get idle() {
    return this.#busy === 0 && this.timers.size === 0 && this.document?.readyState === "complete";
  }

  /** Counts a promise as work that the page is waiting for. */
  async work(promise) {
    this.#busy++;
    try {
      return await promise;
    } finally {
      this.#busy--;
    }
  }

  #prepare(window, answer, type, storage) {
    this.window = window;
    register(window, this);
    this.modules = new ModuleMap({
      context: window._globalObject,
      timeoutMs: this.timeoutMs,
      baseUrl: () => window.document.baseURI,
      ownError: (kind, message) => this.ownError(kind, message),
      work: (promise) => this.work(promise),
      fetch: (url) => this.resource(url, { kind: "module", mode: "cors" }),
    });
    this.timeline = new Timeline(window);
    this.timeline.origin = answer.started;
    this.timeline.install();
    installWindowApis(window, this);
    const times = { domContentLoadedEventEnd: 0, loadEventEnd: 0 };
    this.timeline.request(answer, {
      entryType: "navigation",
      initiatorType: "navigation",
      shown: true,
      live: {
        type,
        get domContentLoadedEventEnd() {
          return times.domContentLoadedEventEnd;
        },
        get loadEventEnd() {
          return times.loadEventEnd;
        },
        get duration() {
          return times.loadEventEnd;
        },
      },
    });
    window.addEventListener("DOMContentLoaded", () => (times.domContentLoadedEventEnd = this.timeline.now()));
    window.addEventListener("load", () => (times.loadEventEnd = this.timeline.now()));
    window.addEventListener("error", (event) => this.#seeError(event), true);
    window.addEventListener(
      "unhandledrejection",
      (event) => this.session.error({ type: "unhandledrejection", message: readable(event.reason) }),
      true,
    );
    for (const [key, value] of storage) window.localStorage.setItem(key, value);
  }

  #seeError({ target, error, message, filename }) {
    if (target === this.window)
      this.session.error({ type: "error", message: readable(error ?? message), source: filename });
    else
      this.session.error({
        type: "resource",
        message: `${target.localName} did not load`,
        url: target.src ?? target.href ?? null,
      });
  }

  // -- resources -----------------------------------------------------------------------------------------------------

  async #intercept(request, element) {
    const { url, method } = request;
    const kind =
      { script: "script", link: "style", style: "style", iframe: "frame", frame: "frame" }[element?.localName] ?? "xhr";
    const mode =
      kind === "frame" ? "navigate" : kind === "xhr" || element.hasAttribute("crossorigin") ? "cors" : "no-cors";
    const headers =
      kind === "xhr"
        ? Object.fromEntries(
            [...request.headers].filter(
              ([name]) => !/^(accept-encoding|cookie|host|origin|referer|user-agent)$/.test(name),
            ),
          )
        : {};
    const body = request.body ? Buffer.from(await request.arrayBuffer()) : undefined;
    const {
      status,
      headers: got,
      body: bytes,
    } = await this.work(this.resource(url, { kind, mode, method, headers, body }));
    if (kind === "style" && !/^text\/css\b/i.test(got["content-type"] ?? "text/css"))
      throw new Error(`${got["content-type"]} is not a stylesheet`);
    return new Response([101, 204, 205, 304].includes(status) ? null : bytes, { status, headers: flat(got) });
  }

  /** One request of this page, put into its timeline; a cross-origin answer that the page may not read is an error. */
  async resource(address, options) {
    const page = new URL(this.url);
    const url = new URL(address, this.url);
    if (url.protocol === "data:" || url.protocol === "blob:") return embedded(url);
    const credentials = options.credentials ?? (options.mode === "no-cors" ? "include" : "same-origin");
    const kind = url.pathname === "/_bluegreen/beacon" ? "beacon" : options.kind;
    const preloaded = this.#preloaded.get(url.href);
    this.#preloaded.delete(url.href);
    let answer;
    try {
      answer = await (preloaded ?? this.session.transport.request(url.href, { ...options, kind, credentials, page }));
    } catch (error) {
      if (!(error instanceof BlockedRequest)) throw error;
      this.session.external(url.href);
      if (["fetch", "xhr"].includes(kind)) throw error;
      const now = performance.now();
      answer = {
        url: url.href,
        status: 200,
        headers: { "content-type": EMPTY[kind] ?? "" },
        body: Buffer.alloc(0),
        started: now,
        finished: now,
        fromCache: true,
      };
      return answer;
    }
    const sameOrigin = new URL(answer.url).origin === page.origin;
    const shown = sameOrigin || allows(answer.headers["timing-allow-origin"], page.origin);
    const initiatorType =
      {
        module: "script",
        style: "link",
        image: "img",
        icon: "link",
        font: "css",
        xhr: "xmlhttprequest",
        prefetch: "link",
      }[kind] ?? kind;
    this.timeline.request({ ...answer, requested: url.href }, { entryType: "resource", initiatorType, shown });
    if (options.mode === "cors" && !sameOrigin && !readableAcross(answer.headers, page.origin, credentials)) {
      throw new Error(`${url.href} has no Access-Control-Allow-Origin for ${page.origin}`);
    }
    if (kind === "style" && answer.status === 200) this.#followStyle(answer.body.toString("utf8"), answer.url);
    return answer;
  }

  /** A document asks once for each image, however many elements show it. */
  image(url, crossOrigin) {
    const mode = crossOrigin === null ? "no-cors" : "cors";
    const key = `${mode} ${url}`;
    if (!this.#images.has(key)) {
      const loading = this.#image(url, mode);
      this.#images.set(key, loading);
      loading.catch(() => this.#images.delete(key));
    }
    return this.#images.get(key);
  }

  async #image(url, mode) {
    const answer = await this.resource(url, { kind: "image", mode });
    // A picture is one by its bytes, not by its status; an error page is not.
    if (answer.status > 399 || /^text\/html/i.test(answer.headers["content-type"] ?? ""))
      throw new Error(`status ${answer.status}`);
    if (answer.status === 204 || answer.body.length === 0) throw new Error("no image");
    return answer;
  }

  async preload(url, as, crossOrigin) {
    const loading = this.resource(url, {
      kind: as === "fetch" ? "fetch" : (as ?? "preload"),
      mode: crossOrigin === null ? "no-cors" : "cors",
    });
    const answer = await loading;
    if (answer.status > 399) throw new Error(`status ${answer.status}`);
    this.#preloaded.set(new URL(url).href, loading);
    return answer;
  }

  /** Fonts (the first source of each face) and pictures that a style names; their failures are no events, as in browsers. */
  #followStyle(text, base) {
    const found = new Map();
    const faces = [...text.matchAll(FONT_FACE)];
    for (const [, face] of faces) for (const address of urls(face).slice(0, 1)) found.set(address, "font");
    for (const address of urls(text.replace(FONT_FACE, ""))) found.set(address, "image");
    for (const [address, kind] of found) {
      if (address.startsWith("#") || !URL.canParse(address, base)) continue;
      this.work(this.resource(new URL(address, base).href, { kind, mode: kind === "font" ? "cors" : "no-cors" })).catch(
        () => {},
      );
    }
  }

  followInlineStyles() {
    for (const element of this.document.querySelectorAll("style, [style*=url]")) {
      if (this.#inlineStyles.has(element)) continue;
      this.#inlineStyles.add(element);
      this.#followStyle(
        element.localName === "style" ? element.textContent : element.getAttribute("style"),
        this.document.baseURI,
      );
    }
  }

  // -- scripts and errors ----------------------------------------------------------------------------------------------

  isUnavailable = (error) => error instanceof ModuleUnavailable;

  /** Runs a module script; what it throws is an error of the window. */
  async evaluate(module, url) {
    const running = this.modules.evaluate(module);
    this.work(running.catch((error) => this.report(error, url)));
    // Scripts after it wait for its synchronous part only.
    await Promise.race([running.catch(() => {}), new Promise((resolve) => setImmediate(resolve))]);
  }

  /** Runs a classic script that no element stands for. */
  run(source) {
    this.guard(() => runScript(this.window, source, this.url));
  }

  guard(action) {
    try {
      action();
    } catch (error) {
      this.report(error, this.url);
    }
  }

  report(error, url) {
    if (this.window.document) reportException(this.window, this.translate(error), url);
  }

  ownError(type, message) {
    const error = new this.window[type](message);
    this.#ownErrors.add(error);
    return error;
  }

  /** Errors of Node become the page's own. */
  translate(error) {
    if (this.owns(error) || !(error instanceof Error)) return error;
    return this.ownError(error.name in this.window ? error.name : "TypeError", error.message);
  }

  /** Whether an error or a promise comes from this page. */
  owns(value) {
    if (value === null || typeof value !== "object") return false;
    if (this.#ownErrors.has(value)) return true;
    const { window } = this;
    return window.document !== undefined && (value instanceof window.Object || value instanceof window.Promise);
  }

  rejected(reason, promise) {
    const { PromiseRejectionEvent, Event } = this.window;
    const init = { promise, reason, cancelable: true };
    const event = PromiseRejectionEvent
      ? new PromiseRejectionEvent("unhandledrejection", init)
      : Object.assign(new Event("unhandledrejection", init), init);
    this.window.dispatchEvent(event);
  }

  navigate(url, reload) {
    this.session.wantNavigation(url, reload);
  }

  // -- end ---------------------------------------------------------------------------------------------------------------

  /** What a reader sees: the text, without scripts and styles. */
  text() {
    const walk = (node) =>
      node.nodeType === 3
        ? node.data
        : /^(script|style|noscript|template)$/i.test(node.localName ?? "")
          ? ""
          : [...node.childNodes].map(walk).join("");
    return this.document?.body ? walk(this.document.body).trim() : "";
  }

  storage() {
    const { localStorage } = this.window;
    return Array.from({ length: localStorage.length }, (_, index) => [
      localStorage.key(index),
      localStorage.getItem(localStorage.key(index)),
    ]);
  }

  /** The events of leaving; the page is hidden by then. */
  leave() {
    const { window, document } = this;
    for (const [name, value] of [
      ["visibilityState", "hidden"],
      ["hidden", true],
    ])
      Object.defineProperty(document, name, { value, configurable: true });
    const transition = new window.Event("pagehide");
    Object.defineProperty(transition, "persisted", { value: false });
    window.dispatchEvent(transition);
    document.dispatchEvent(new window.Event("visibilitychange", { bubbles: true }));
    window.dispatchEvent(new window.Event("unload"));
  }

  /** Waits for what was sent last, then gives everything back. */
  async close(timeoutMs = 2_000) {
    const end = Date.now() + timeoutMs;
    while (this.#busy && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
    this.window.close();
    implementationOf(this.window)?._virtualConsole?.removeAllListeners?.();
  }
}

function embedded(url) {
  const now = performance.now();
  const [, type = "", base64, data = ""] = /^data:([^,]*?)(;base64)?,(.*)$/s.exec(url.href) ?? [];
  const body = base64 ? Buffer.from(decodeURIComponent(data), "base64") : Buffer.from(decodeURIComponent(data));
  return {
    url: url.href,
    status: 200,
    headers: { "content-type": type || "text/plain" },
    body,
    started: now,
    finished: now,
    fromCache: true,
  };
}

const urls = (style) =>
  [...style.matchAll(URL_IN_STYLE)].map(([, double, single, bare]) => double ?? single ?? bare).filter(Boolean);

const allows = (header, origin) => (header ?? "").split(",").some((value) => ["*", origin].includes(value.trim()));

const readableAcross = (headers, origin, credentials) => {
  const allowed = headers["access-control-allow-origin"];
  return credentials === "include"
    ? allowed === origin && headers["access-control-allow-credentials"] === "true"
    : allowed === "*" || allowed === origin;
};

function readable(value) {
  if (value && typeof value === "object" && "message" in value) return `${value.name ?? "Error"}: ${value.message}`;
  try {
    return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  } catch {
    return String(value);
  }
}
