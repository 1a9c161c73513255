// One tab of one visitor: documents one after the other, what was asked of them, and what happened.

import { ACTIONS, sleep } from "./actions.mjs";
import { CookieJar } from "./cookies.mjs";
import { Page } from "./page.mjs";
import { Patience } from "./patience.mjs";
import { Transport, digestOf, isLoopback } from "./transport.mjs";

const USER_AGENT =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 bluegreen-page-runner";
const SETTLE_MS = 4_000;
const QUIET_MS = 8;
const MAXIMUM_DOCUMENTS = 20;
/** A failure of these is not one of the page. */
const ASIDE = new Set(["beacon", "icon", "prefetch"]);

export class Session {
  #navigation;
  #report;

  constructor(id) {
    this.id = id;
    this.jar = new CookieJar();
    this.visitor = { jar: this.jar };
    this.documents = [];
    this.storage = new Map();
    this.transport = new Transport(this.visitor, (request) =>
      this.#report?.requests.push({ ...request, document: this.documents.length - 1 }),
    );
  }

  /**
   * Carries out one message: opens its url (if it has one), does its actions, leaves unless `keepOpen`.
   *
   * @returns the report of what happened since the last one
   */
  async run({
    url,
    viewerIp,
    location,
    userAgent,
    cookies,
    actions = [],
    read = [],
    keepOpen = false,
    timeoutMs = 30_000,
  }) {
    const started = Date.now();
    this.deadline = started + timeoutMs;
    const report = {
      id: this.id,
      requests: [],
      errors: [],
      consoleErrors: [],
      failures: [],
      external: [],
      documents: [],
    };
    this.#report = report;
    Object.assign(this.visitor, {
      viewerIp: viewerIp ?? this.visitor.viewerIp,
      location: location ?? this.visitor.location,
    });
    this.visitor.userAgent = userAgent ?? this.visitor.userAgent ?? USER_AGENT;
    if (url) this.origin = new URL(url);
    this.jar.put(this.origin.host, cookies);
    try {
      if (url) await this.#open(url, "navigate");
      for (const action of actions) await this.#act(action);
    } catch (error) {
      report.failures.push(error.message);
    }
    return this.#finish(report, read, keepOpen, started);
  }

  error(error) {
    this.#report?.errors.push(error);
  }

  consoleError(text) {
    this.#report?.consoleErrors.push(text.slice(0, 500));
  }

  external(url) {
    this.#report?.external.push(url);
  }

  /** A page asked for another document; the next settling opens it. */
  wantNavigation(url, reload) {
    this.#navigation = { url, type: reload ? "reload" : "navigate" };
  }

  async close() {
    const page = this.page;
    this.page = undefined;
    if (!page?.window?.document) return;
    this.storage.set(new URL(page.url).origin, page.storage());
    page.leave();
    await page.close();
  }

  // -- actions -----------------------------------------------------------------------------------------------------------

  async #act(action) {
    const [[name, value]] = Object.entries(action);
    const act = ACTIONS[name];
    if (!act)
      throw new Error(`unknown action ${JSON.stringify(action)}; choose one of ${Object.keys(ACTIONS).join(", ")}`);
    await act(this, value, action);
    await this.#settle();
  }

  async #open(url, type, referrer) {
    if (this.#report.documents.length >= MAXIMUM_DOCUMENTS)
      throw new Error(`more than ${MAXIMUM_DOCUMENTS} documents, the last one ${url}`);
    const from = this.page && new URL(this.page.url);
    await this.close();
    this.documents.push(url);
    let answer;
    try {
      answer = await this.transport.request(url, {
        kind: "document",
        page: from,
        mode: "navigate",
        credentials: "include",
        reload: type === "reload",
      });
    } catch (error) {
      throw new Error(`${url} did not load: ${error.message}`);
    }
    const entry = {
      url: answer.url,
      status: answer.status,
      build: answer.headers["x-amz-meta-build-id"] ?? null,
      sha256: digestOf(answer),
      at: Date.now() / 1000,
      label: null,
    };
    this.#report.documents.push(entry);
    this.entry = entry;
    if (!/^(text\/html|application\/xhtml\+xml)\b/i.test(answer.headers["content-type"] ?? "")) {
      if (answer.status < 400)
        throw new Error(`${url} is no document but ${answer.headers["content-type"] ?? "of no type"}`);
      return;
    }
    const storage = this.storage.get(new URL(answer.url).origin) ?? [];
    this.page = new Page(this, answer, { type, referrer: referrer ?? from?.href, storage });
    await this.#settle();
  }

  async #settle() {
    const patience = new Patience(SETTLE_MS, this.deadline);
    let quiet = 0;
    while (!patience.over && quiet < 2) {
      if (this.#navigation) {
        const { url, type } = this.#navigation;
        this.#navigation = undefined;
        await this.#open(url, type);
        return;
      }
      quiet = !this.page || this.page.idle ? quiet + 1 : 0;
      if (quiet) this.page?.resources.followStyles();
      await sleep(QUIET_MS);
    }
    if (this.entry && this.page)
      this.entry.label = this.page.document.documentElement?.getAttribute("data-build") ?? null;
    if (Date.now() >= this.deadline) throw new Error("the page took longer than this session may");
  }

  async #finish(report, read, keepOpen, started) {
    const { page } = this;
    const text = page?.text() ?? "";
    report.url = page?.document?.URL ?? null;
    report.title = page?.document?.title ?? null;
    report.build = page?.document?.documentElement?.getAttribute("data-build") ?? null;
    report.documentBuild = this.entry?.build ?? null;
    report.textLength = text.length;
    report.rendered = text.length > 0;
    if (read.length)
      report.texts = Object.fromEntries(
        read.map((selector) => [selector, page?.document?.querySelector(selector)?.textContent ?? null]),
      );
    if (!keepOpen) await this.close().catch((error) => report.failures.push(`leaving failed: ${error.message}`));
    const failed = report.requests.filter(
      (request) => (request.status === 0 || request.status > 399) && !request.aborted && !ASIDE.has(request.kind),
    );
    report.failedRequests = failed.length;
    report.ok = report.rendered && !failed.length && !report.errors.length && !report.failures.length;
    report.cookies = this.origin ? this.jar.all(this.origin.host) : {};
    report.open = keepOpen && this.page !== undefined;
    report.ms = Date.now() - started;
    this.#report = undefined;
    return report;
  }

  get #document() {
    if (!this.page) throw new Error("no page is open");
    return this.page.document;
  }

  element(selector) {
    const found = this.#document.querySelector(selector);
    if (!found) throw new Error(`no element matches ${selector} on ${this.#document.URL}`);
    return found;
  }

  resolve(address) {
    return new URL(address, this.page?.url ?? this.origin).href;
  }

  open(url, type) {
    return this.#open(url, type);
  }
}

/** What is wrong with a message, or null. */
export function complaint({ id, url, actions = [], viewerIp }, isOpen) {
  if (typeof id !== "string" && typeof id !== "number") return "a message needs an id";
  if (url === undefined && !isOpen) return `session ${id} is not open; its first message needs a url`;
  if (url !== undefined && !URL.canParse(url)) return `url ${JSON.stringify(url)} is not an absolute address`;
  if (url !== undefined && !isLoopback(new URL(url).hostname))
    return `url ${url} is not on this machine; use a name under .localhost`;
  if (!Array.isArray(actions)) return "actions is not a list";
  if (viewerIp !== undefined && !/^[\d.:a-f]+$/i.test(viewerIp))
    return `viewerIp ${JSON.stringify(viewerIp)} is not an address`;
  return null;
}
