// jsdom, and what browsers do that it does not: module scripts, images, preloads, navigation to other documents, and
// import() in classic scripts. It reaches into jsdom's own modules, which is why jsdom is pinned to one version.

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import vm from "node:vm";
import { requireFromJsdom } from "./find_jsdom.mjs";

const require = requireFromJsdom();
const inside = join(dirname(require.resolve("jsdom/package.json")), "lib", "jsdom");
const internal = (path) => require(join(inside, path));

const runInContext = vm.runInContext;
const pages = new WeakMap();

/** The page a window belongs to; a frame has none of its own. */
export const pageOf = (window) => (window ? pages.get(window) : undefined);

export function register(window, page) {
  pages.set(window, page);
  pages.set(window._globalObject, page);
}

const nodeVm = createRequire(import.meta.url)("node:vm");
nodeVm.runInContext = (code, context, options) => {
  const page = pages.get(context);
  if (!page) return runInContext(code, context, options);
  return runInContext(code, context, {
    ...options,
    timeout: page.timeoutMs,
    importModuleDynamically: (specifier, _script, attributes) =>
      page.modules.dynamicImport(specifier, options?.filename ?? page.url, attributes),
  });
};

// Before jsdom is loaded: its modules take these functions at load time.
const navigation = internal("living/window/navigation.js");
const navigateWithin = navigation.navigate;
navigation.navigate = (window, url, flags) => {
  const page = pageOf(window);
  const toFragment = url.fragment !== null && !flags.reloadTriggered && sameDocument(window, url);
  if (!page || toFragment || !/^https?$/.test(url.scheme)) return navigateWithin(window, url, flags);
  return page.navigate(serializeURL(url), Boolean(flags.reloadTriggered));
};

const { serializeURL } = require("whatwg-url");
const { JSDOM, VirtualConsole, requestInterceptor } = require("jsdom");
const { fireAnEvent } = internal("living/helpers/events.js");
const reportToWindow = internal("living/helpers/runtime-script-errors.js");
const idl = require(join(inside, "..", "generated", "idl", "utils.js"));
const DOMTokenList = require(join(inside, "..", "generated", "idl", "DOMTokenList.js"));
const Script = internal("living/nodes/HTMLScriptElement-impl.js").implementation.prototype;
const Image = internal("living/nodes/HTMLImageElement-impl.js").implementation.prototype;
const Link = internal("living/nodes/HTMLLinkElement-impl.js").implementation.prototype;
const AsyncQueue = internal("browser/resources/async-resource-queue.js").prototype;

export { JSDOM, VirtualConsole, requestInterceptor };

export const runScript = (window, source, url) => nodeVm.runInContext(source, window._globalObject, { filename: url });

/** An uncaught error, as `window.reportError` and an exception in a script report it. */
export const reportException = (window, error, url) => reportToWindow(window._globalObject, error, url);

function sameDocument(window, url) {
  const present = new URL(window.document.URL);
  present.hash = "";
  return present.href === serializeURL(url, true);
}

const ownPage = (element) => pageOf(element._ownerDocument._defaultView);
const absolute = (element, attribute) => {
  const value = element.getAttributeNS(null, attribute);
  const record = value ? element._ownerDocument.encodingParseAURL(value) : null;
  return record && serializeURL(record);
};

/** Runs `done` or `failed` and then the element's event, once the promise and the scripts before the element allow. */
function settle(element, promise, done, failed, { ordered = false } = {}) {
  const document = element._ownerDocument;
  const finish = (action, event) => async (value) => {
    if (!document._defaultView) return;
    await action?.(value);
    fireAnEvent(event, element);
  };
  const onLoad = (value) => finish(done, "load")(value).catch((error) => finish(failed, "error")(error));
  const onError = finish(failed, "error");
  if (document.readyState === "complete") promise.then(onLoad, onError);
  else if (ordered) document._deferQueue.push(promise, onLoad, onError, false, element);
  else document._asyncQueue.push(promise, onLoad, onError, document._queue.getLastScript());
}

// -- scripts: type="module", importmap, nomodule ---------------------------------------------------------------------
const evaluateClassic = Script._eval;
Script._eval = function () {
  const page = ownPage(this);
  const type = this._getTypeString()?.toLowerCase();
  if (!page || this._alreadyStarted || !this._attached || (type !== "module" && type !== "importmap")) {
    if (page && this.hasAttributeNS(null, "nomodule") && type === "text/javascript") return;
    evaluateClassic.call(this);
    return;
  }
  const inline = !this.hasAttributeNS(null, "src");
  if (inline && this.text.length === 0) return;
  this._alreadyStarted = true;
  if (type === "importmap") {
    page.guard(() => page.modules.addImportMap(this.text));
    return;
  }
  const document = this._ownerDocument;
  const url = inline ? document.URL : absolute(this, "src");
  const prepared = page.work(inline ? page.modules.prepareInline(this.text, url) : page.modules.prepare(url));
  // What does not parse or resolve is an error of the page; only what cannot be fetched is one of the element.
  const outcome = prepared.then(
    (module) => ({ module }),
    (error) => (page.isUnavailable(error) ? Promise.reject(error) : { error }),
  );
  const run = ({ module, error }) => (error ? page.report(error, url) : page.evaluate(module, url));
  const ordered = document.readyState === "loading" && !this.hasAttributeNS(null, "async");
  settle(this, outcome, run, undefined, { ordered });
};

// -- images ----------------------------------------------------------------------------------------------------------
Image._updateTheImageData = function () {
  const page = ownPage(this);
  if (!page) return;
  const url = absolute(this, "src");
  const turn = (this._turn = (this._turn ?? 0) + 1);
  this._currentRequestState = "unavailable";
  if (!url) return;
  // Off the stack, as the standard has it: `img.src = …; img.onerror = …` sees its error.
  const loaded = Promise.resolve().then(() => page.resources.image(url, this.getAttributeNS(null, "crossorigin")));
  const current = (state) => () => {
    if (this._turn !== turn) return;
    this._currentRequestState = state;
    if (state === "completely available")
      [this._currentSrc, this._image] = [url, { naturalWidth: 1, naturalHeight: 1 }];
  };
  settle(this, page.work(loaded), current("completely available"), current("broken"));
};

// -- links: preloads and icons (jsdom knows stylesheets) -------------------------------------------------------------
const LINK_TYPES = ["stylesheet", "modulepreload", "preload", "prefetch", "icon"];
Object.defineProperty(Link, "relList", {
  configurable: true,
  get() {
    this._relList ??= DOMTokenList.createImpl(this._globalObject, [], {
      element: this,
      attributeLocalName: "rel",
      supportedTokens: new Set(LINK_TYPES),
    });
    return this._relList;
  },
});
const attachLink = Link._attach;
Link._attach = function () {
  attachLink.call(this);
  followLink(this);
};
const linkModified = Link._attrModified;
Link._attrModified = function (name, value, oldValue) {
  linkModified.call(this, name, value, oldValue);
  if (name === "href" && this.isConnected) followLink(this);
};

function followLink(link) {
  const page = ownPage(link);
  const url = page && absolute(link, "href");
  if (!url) return;
  const rel = (link.getAttributeNS(null, "rel") ?? "").toLowerCase().split(/\s+/);
  const cors = link.getAttributeNS(null, "crossorigin");
  const events = (promise) => settle(link, page.work(promise), undefined, undefined);
  if (rel.includes("modulepreload")) events(page.modules.preload(url));
  else if (rel.includes("preload")) events(page.resources.preload(url, link.getAttributeNS(null, "as"), cors));
  else if (rel.includes("prefetch")) events(page.resource(url, { kind: "prefetch", mode: "no-cors" }));
  else if (rel.includes("icon")) page.work(page.resource(url, { kind: "icon", mode: "no-cors" })).catch(() => {});
}

// jsdom fires the document's load event again whenever a later asynchronous resource is the last one.
AsyncQueue.setListener = function (listener) {
  this._listener = () => {
    this._listener = undefined;
    listener();
  };
};

export const implementationOf = idl.implForWrapper;
