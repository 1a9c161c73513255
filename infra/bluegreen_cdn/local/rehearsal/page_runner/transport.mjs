// HTTP as a browser tab does it, to loopback only: connections kept alive, redirects, cookies, compressed bodies, and a
// cache that honours Cache-Control and ETag. Every request that goes out is written down.

import { createHash } from "node:crypto";
import http from "node:http";
import { promisify } from "node:util";
import zlib from "node:zlib";

const MAXIMUM_REDIRECTS = 10;
const MAXIMUM_BODY_BYTES = 64 * 1024 * 1024;
const agent = new http.Agent({ keepAlive: true, maxSockets: 64, keepAliveMsecs: 5_000, timeout: 30_000 });
const decoders = {
  gzip: promisify(zlib.gunzip),
  br: promisify(zlib.brotliDecompress),
  deflate: promisify(zlib.inflate),
};

const ACCEPT = {
  document: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  frame: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  style: "text/css,*/*;q=0.1",
  image: "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
  icon: "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
};
const DESTINATION = {
  document: "document",
  frame: "iframe",
  script: "script",
  module: "script",
  style: "style",
  image: "image",
  icon: "image",
  font: "font",
};

export const isLoopback = (hostname) =>
  hostname === "localhost" ||
  hostname.endsWith(".localhost") ||
  hostname === "[::1]" ||
  /^127(\.\d{1,3}){3}$/.test(hostname);

/** Different sites, as cookies see it: other hosts under .localhost are (localhost is a public suffix to browsers). */
export const isCrossSite = (one, other) => one.hostname !== other.hostname || one.protocol !== other.protocol;

export class BlockedRequest extends Error {}

export class Transport {
  #cache = new Map();

  /**
   * @param visitor {jar, viewerIp, location, userAgent}
   * @param record called with each finished request
   */
  constructor(visitor, record) {
    this.visitor = visitor;
    this.record = record;
  }

  /**
   * One request with its redirects. Resolves with {url, status, headers, body, started, finished, fromCache}, whatever the
   * status; rejects when there was no answer, and with BlockedRequest when the address is not on this machine.
   *
   * @param options {kind, page: URL of the document or null, method, headers, body, mode: "navigate"|"no-cors"|"cors",
   *   credentials: "include"|"same-origin"|"omit", reload, signal}
   */
  async request(address, options) {
    let url = new URL(address);
    url.hash = "";
    let { method = "GET", body } = options;
    for (let hop = 0; hop <= MAXIMUM_REDIRECTS; hop++) {
      if (url.protocol !== "http:" || !isLoopback(url.hostname)) {
        throw new BlockedRequest(`${url.origin} is not on this machine, and a rehearsal asks nobody else`);
      }
      const answer = await this.#cached(url, method, body, options);
      const target = answer.headers.location;
      if (![301, 302, 303, 307, 308].includes(answer.status) || !target) return answer;
      url = new URL(target, url);
      if (answer.status === 303 || (answer.status < 303 && method === "POST")) [method, body] = ["GET", undefined];
    }
    throw new Error(`more than ${MAXIMUM_REDIRECTS} redirects from ${address}`);
  }

  async #cached(url, method, body, options) {
    const kept = method === "GET" && options.cache !== "no-store" ? this.#cache.get(url.href) : undefined;
    if (kept && !options.reload && kept.freshUntil > Date.now()) {
      const now = performance.now();
      return { ...kept.answer, started: now, finished: now, fromCache: true };
    }
    const answer = await this.#send(url, method, body, options, kept?.answer.headers.etag);
    if (answer.status === 304 && kept) {
      const headers = { ...kept.answer.headers, ...answer.headers };
      const merged = { ...kept.answer, headers, started: answer.started, finished: answer.finished };
      this.#keep(url, merged);
      return merged;
    }
    if (method === "GET" && answer.status === 200) this.#keep(url, answer);
    return answer;
  }

  #keep(url, answer) {
    const control = answer.headers["cache-control"] ?? "";
    if (/no-store/i.test(control)) return;
    const seconds = /no-cache/i.test(control) ? 0 : Number(/max-age=(\d+)/i.exec(control)?.[1] ?? 0);
    if (seconds > 0 || answer.headers.etag)
      this.#cache.set(url.href, { answer, freshUntil: Date.now() + seconds * 1000 });
  }

  async #send(url, method, body, options, etag) {
    const { kind, page } = options;
    const crossSite = Boolean(page) && isCrossSite(url, page);
    const withCookies =
      options.credentials === "include" || (options.credentials !== "omit" && (!page || page.origin === url.origin));
    const cookie = withCookies && this.visitor.jar.header(url, { crossSite, topLevel: kind === "document" });
    const headers = {
      host: url.host,
      "user-agent": this.visitor.userAgent,
      accept: ACCEPT[kind] ?? "*/*",
      "accept-encoding": "gzip, deflate, br",
      "accept-language": "en-GB,en;q=0.9",
      "sec-fetch-dest": DESTINATION[kind] ?? "empty",
      "sec-fetch-mode": options.mode,
      "sec-fetch-site": page ? (crossSite ? "cross-site" : "same-origin") : "none",
      ...(page && { referer: page.origin === url.origin ? page.href : `${page.origin}/` }),
      ...(page && options.mode === "cors" && page.origin !== url.origin && { origin: page.origin }),
      ...(cookie && { cookie }),
      ...(etag && { "if-none-match": etag }),
      ...(this.visitor.viewerIp && { "x-bluegreen-sim-viewer-ip": this.visitor.viewerIp }),
      ...(this.visitor.location && { "x-bluegreen-sim-location": this.visitor.location }),
      ...options.headers,
    };
    const started = performance.now();
    const entry = { url: url.href, method, kind };
    try {
      const answer = await exchange(url, method, headers, body, options.signal);
      const finished = performance.now();
      if (withCookies) for (const line of answer.setCookie) this.visitor.jar.store(url, line, { crossSite });
      this.record({
        ...entry,
        status: answer.status,
        build: answer.headers["x-amz-meta-build-id"] ?? null,
        fromRole: answer.headers["x-bluegreen-role"] ?? null,
        contentType: answer.headers["content-type"] ?? null,
        cache: answer.headers["x-cache"] ?? null,
        bytes: answer.bytes,
        sha256: digestOf(answer),
        at: Date.now() / 1000,
        ms: Math.round((finished - started) * 10) / 10,
      });
      return { url: url.href, ...answer, started, finished, fromCache: false };
    } catch (error) {
      const aborted = options.signal?.aborted ?? false;
      this.record({
        ...entry,
        status: 0,
        build: null,
        fromRole: null,
        failure: error.message,
        ...(aborted && { aborted }),
      });
      throw error;
    }
  }
}

/** SHA-256 of the decoded body; null where there is none, as with "not modified". */
export const digestOf = ({ status, body }) =>
  status === 304 || !body ? null : createHash("sha256").update(body).digest("hex");

function exchange(url, method, headers, body, signal) {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: "127.0.0.1",
      port: url.port || 80,
      path: url.pathname + url.search,
      method,
      headers,
      agent,
      signal,
    });
    request.on("error", reject);
    request.on("timeout", () => request.destroy(new Error("no answer in 30 s")));
    request.on("response", (response) => {
      const chunks = [];
      let bytes = 0;
      response.on("data", (chunk) => {
        bytes += chunk.length;
        if (bytes > MAXIMUM_BODY_BYTES) request.destroy(new Error(`more than ${MAXIMUM_BODY_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("aborted", () => reject(new Error("the connection closed before the end of the body")));
      response.on("end", async () => {
        try {
          const { "content-encoding": encoding, "set-cookie": setCookie = [], ...rest } = response.headers;
          const raw = Buffer.concat(chunks);
          const decode = decoders[encoding];
          const decoded = decode && raw.length ? await decode(raw) : raw;
          resolve({ status: response.statusCode, headers: rest, setCookie, body: decoded, bytes });
        } catch (error) {
          reject(error);
        }
      });
    });
    request.end(body);
  });
}
