// What a document asks for, for whom, and what of the answer it may see.

import { BlockedRequest } from "./transport.mjs";
import { flat } from "./window_apis.mjs";

const EMPTY = { script: "text/javascript", module: "text/javascript", style: "text/css" };
const KIND_OF_ELEMENT = { script: "script", link: "style", style: "style", iframe: "frame", frame: "frame" };
const INITIATOR = {
  module: "script",
  style: "link",
  image: "img",
  icon: "link",
  font: "css",
  xhr: "xmlhttprequest",
  prefetch: "link",
};
const SET_BY_THE_BROWSER = /^(accept-encoding|cookie|host|origin|referer|user-agent)$/;
const URL_IN_STYLE = /url\(\s*(?:"([^"]*)"|'([^']*)'|([^)\s]*))\s*\)/gi;
const COMMENT = /\/\*[\s\S]*?\*\//g;
const RULE = /([^{};]+)\{([^{}]*)\}/g;

export class Resources {
  #preloaded = new Map();
  #images = new Map();
  #inlineStyles = new WeakSet();
  #pictures = [];

  constructor(page) {
    this.page = page;
  }

  /** Answers what jsdom itself asks for: classic scripts, stylesheets, frames, XMLHttpRequests. */
  async intercept(request, element) {
    const { url, method } = request;
    const kind = KIND_OF_ELEMENT[element?.localName] ?? "xhr";
    const isXhr = kind === "xhr";
    const mode = kind === "frame" ? "navigate" : isXhr || element.hasAttribute("crossorigin") ? "cors" : "no-cors";
    const headers = isXhr ? [...request.headers].filter(([name]) => !SET_BY_THE_BROWSER.test(name)) : [];
    const body = request.body ? Buffer.from(await request.arrayBuffer()) : undefined;
    const options = { kind, mode, method, headers: Object.fromEntries(headers), body };
    const answer = await this.page.work(this.request(url, options));
    const contentType = answer.headers["content-type"];
    if (kind === "style" && !/^text\/css\b/i.test(contentType ?? "text/css")) {
      throw new Error(`${contentType} is not a stylesheet`);
    }
    const empty = [101, 204, 205, 304].includes(answer.status);
    return new Response(empty ? null : answer.body, { status: answer.status, headers: flat(answer.headers) });
  }

  /** One request, put into the timeline; a cross-origin answer that the page may not read is an error. */
  async request(address, options) {
    const page = new URL(this.page.url);
    const url = new URL(address, page);
    if (url.protocol === "data:" || url.protocol === "blob:") return embedded(url);
    const credentials = options.credentials ?? (options.mode === "no-cors" ? "include" : "same-origin");
    const kind = url.pathname === "/_bluegreen/beacon" ? "beacon" : options.kind;
    const preloaded = this.#preloaded.get(url.href);
    this.#preloaded.delete(url.href);
    const { transport } = this.page.session;
    let answer;
    try {
      answer = await (preloaded ?? transport.request(url.href, { ...options, kind, credentials, page }));
    } catch (error) {
      if (!(error instanceof BlockedRequest)) throw error;
      this.page.session.external(url.href);
      if (["fetch", "xhr"].includes(kind)) throw error;
      // Nobody outside is asked, and nothing is made of it: as if the file had been there and empty.
      return { ...withoutNetwork(url, EMPTY[kind] ?? "", Buffer.alloc(0)), external: true };
    }
    const sameOrigin = new URL(answer.url).origin === page.origin;
    const shown = sameOrigin || allows(answer.headers["timing-allow-origin"], page.origin);
    const initiatorType = INITIATOR[kind] ?? kind;
    this.page.timeline.request({ ...answer, requested: url.href }, { entryType: "resource", initiatorType, shown });
    if (options.mode === "cors" && !sameOrigin && !readableAcross(answer.headers, page.origin, credentials)) {
      throw new Error(`${url.href} has no Access-Control-Allow-Origin for ${page.origin}`);
    }
    if (kind === "style" && answer.status === 200) this.#readStyle(answer.body.toString("utf8"), answer.url);
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
    const answer = await this.request(url, { kind: "image", mode });
    if (answer.external) return answer;
    if (answer.status > 399 || answer.body.length === 0 || /^text\/html/i.test(answer.headers["content-type"] ?? "")) {
      throw new Error(`no image, status ${answer.status}`);
    }
    return answer;
  }

  async preload(url, as, crossOrigin) {
    const kind = as === "fetch" || as === null ? "fetch" : as;
    const loading = this.request(url, { kind, mode: crossOrigin === null ? "no-cors" : "cors" });
    const { href } = new URL(url);
    // Who asks for it next gets this answer, even when it is still on its way.
    this.#preloaded.set(href, loading);
    const answer = await loading.catch((error) => {
      this.#preloaded.delete(href);
      throw error;
    });
    if (answer.status > 399) throw new Error(`status ${answer.status}`);
    return answer;
  }

  /** Follows styles that are new, and pictures of rules that have come to apply to something. */
  followStyles() {
    const { document } = this.page;
    for (const element of document.querySelectorAll("style, [style*=url]")) {
      if (this.#inlineStyles.has(element)) continue;
      this.#inlineStyles.add(element);
      const text = element.localName === "style" ? element.textContent : `*{${element.getAttribute("style")}}`;
      this.#readStyle(text, document.baseURI);
    }
    const wanted = this.#pictures.filter(({ selector }) => applies(document, selector));
    this.#pictures = this.#pictures.filter((picture) => !wanted.includes(picture));
    for (const { href } of wanted) this.page.work(this.image(href, null)).catch(() => {});
  }

  /** Fonts (the first source of each face) and pictures that a style names; as in browsers, their failures are no events. */
  #readStyle(text, base) {
    for (const [, selector, block] of text.replace(COMMENT, "").matchAll(RULE)) {
      const isFont = /@font-face\s*$/i.test(selector);
      for (const address of urls(block).slice(0, isFont ? 1 : undefined)) {
        if (address.startsWith("#") || !URL.canParse(address, base)) continue;
        const { href } = new URL(address, base);
        if (isFont) this.page.work(this.request(href, { kind: "font", mode: "cors" })).catch(() => {});
        else this.#pictures.push({ href, selector });
      }
    }
  }
}

/** Whether a rule's selector matches anything, its states and generated parts left aside. */
function applies(document, selector) {
  const plain = selector.replace(/::?[\w-]+(\([^()]*\))?/g, "").trim();
  try {
    return plain === "" || document.querySelector(plain) !== null;
  } catch {
    return true;
  }
}

function embedded(url) {
  const [, type = "", base64, data = ""] = /^data:([^,]*?)(;base64)?,(.*)$/s.exec(url.href) ?? [];
  const body = Buffer.from(decodeURIComponent(data), base64 ? "base64" : "utf8");
  return withoutNetwork(url, type || "text/plain", body);
}

function withoutNetwork(url, contentType, body) {
  const now = performance.now();
  const headers = { "content-type": contentType };
  return { url: url.href, status: 200, headers, body, started: now, finished: now, fromCache: true };
}

const urls = (style) =>
  [...style.matchAll(URL_IN_STYLE)].map(([, double, single, bare]) => double ?? single ?? bare).filter(Boolean);

const allows = (header, origin) => (header ?? "").split(",").some((value) => ["*", origin].includes(value.trim()));

function readableAcross(headers, origin, credentials) {
  const allowed = headers["access-control-allow-origin"];
  if (credentials === "include") return allowed === origin && headers["access-control-allow-credentials"] === "true";
  return allowed === "*" || allowed === origin;
}
