// One document in a tab: its window, its scripts, its errors, its end.

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
import { Patience } from "./patience.mjs";
import { Resources } from "./resources.mjs";
import { visibleText } from "./stand_ins.mjs";
import { installWindowApis } from "./window_apis.mjs";

const SCRIPT_TIMEOUT_MS = 5_000;

export class Page {
  timers = new Set();
  timeoutMs = SCRIPT_TIMEOUT_MS;
  #busy = 0;
  #ownErrors = new WeakSet();
  resources = new Resources(this);

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
        interceptors: [requestInterceptor((request, { element }) => this.resources.intercept(request, element))],
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
    this.timeline.navigation(answer, type);
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

  resource(address, options) {
    return this.resources.request(address, options);
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

  /** What a reader sees. */
  text() {
    return this.document?.body ? visibleText(this.document.body).trim() : "";
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
    const patience = new Patience(timeoutMs, Math.max(this.session.deadline, Date.now() + timeoutMs));
    while (this.#busy && !patience.over) await new Promise((resolve) => setTimeout(resolve, 5));
    this.window.close();
    implementationOf(this.window)?._virtualConsole?.removeAllListeners?.();
  }
}

function readable(value) {
  if (value && typeof value === "object" && "message" in value) return `${value.name ?? "Error"}: ${value.message}`;
  try {
    return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  } catch {
    return String(value);
  }
}
