// Runs web pages for visitors that are not browsers: JSON lines in, one JSON line out for each.
//
//   node runner.mjs [--workers N] [--concurrency N]
//
// A message: {"id", "url", "viewerIp"?, "location"?, "userAgent"?, "cookies"?: {name: value}, "actions"?: […],
// "read"?: [selector], "keepOpen"?: true, "timeoutMs"?}. With keepOpen the tab stays open, and further messages of the same
// id, without url, go on in it. Actions: {"navigate": "/x"} {"reload": true} {"click": "a.x"} {"route": "/x"} {"wait": ms}
// {"waitFor": ".x", "ms": 2000} {"evaluate": "source"}.
//
// A report: {"id", "ok", "url", "title", "build": data-build of the document or null, "documentBuild": from its header,
// "documents": [{url, status, build, sha256, at: seconds since 1970, label}], "requests": [{url, method, status, kind,
// build, fromRole, bytes, sha256, at, ms, document: which one}], "errors": [{type: error | unhandledrejection | resource,
// message, …}], "consoleErrors",
// "failures": what could not be done, "failedRequests", "external": addresses that are not on this machine and were not
// asked, "cookies", "rendered", "textLength", "texts"?, "open", "ms"}.

import { fork } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { requireFromJsdom } from "./find_jsdom.mjs";

const WORKER = fileURLToPath(new URL("./worker.mjs", import.meta.url));
// Node 20 never gives back a module made by node:vm, nor the window it ran in (some 3 MB a page), so processes are short-lived.
const SESSIONS_PER_WORKER = 120;
const RSS_LIMIT_BYTES = 700 * 1024 * 1024;
const SILENCE_LIMIT_MS = 10_000;

const { values } = parseArgs({
  options: { workers: { type: "string", default: "1" }, concurrency: { type: "string", default: "16" } },
});
const concurrency = number("concurrency");
try {
  requireFromJsdom();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(3);
}

class Worker {
  /** Messages being carried out, by id; tabs that stay open between messages. */
  running = new Map();
  open = new Set();
  sessions = 0;
  retired = false;
  heard = Date.now();

  constructor() {
    this.process = fork(WORKER, [], {
      execArgv: ["--experimental-vm-modules", "--no-warnings", "--max-old-space-size=1024"],
      stdio: ["ignore", 2, 2, "ipc"],
    });
    this.process.on("message", (message) => this.#heard(message));
    this.process.on("exit", (code, signal) => this.#ended(signal ?? `exit code ${code}`));
    this.process.on("error", () => {});
  }

  get free() {
    return !this.retired && this.running.size < concurrency;
  }

  give(message) {
    if (message.url !== undefined) this.sessions++;
    this.running.set(message.id, message);
    this.process.send(message);
  }

  check() {
    if (this.running.size && Date.now() - this.heard > SILENCE_LIMIT_MS)
      this.#kill("a page kept its process busy without an end");
    if (this.retired && !this.running.size && !this.open.size) this.process.disconnect();
  }

  #heard({ report, rss, refused, failure, open }) {
    this.heard = Date.now();
    if (refused !== undefined) report = { ...refusal(refused, failure), open };
    if (!report) return;
    this.running.delete(report.id);
    if (report.open) this.open.add(report.id);
    else this.open.delete(report.id);
    if (this.sessions >= SESSIONS_PER_WORKER || rss > RSS_LIMIT_BYTES) this.retired = true;
    write(report);
    this.check();
    next();
  }

  #kill(reason) {
    this.reason = reason;
    this.process.kill("SIGKILL");
  }

  #ended(how) {
    workers.delete(this);
    const failure = this.reason ?? `the process of the page ended (${how})`;
    // The others in the process did nothing wrong: what can start afresh does, once. A tab that was merely kept open learns
    // of its end with its next message.
    const others = this.running.size > 1;
    for (const [id, message] of this.running) {
      if (others && message.url !== undefined && !message.again) waiting.push({ ...message, again: true });
      else write(refusal(id, failure));
    }
    next();
  }
}

const workers = new Set();
const waiting = [];
let ended = false;

function next() {
  for (let index = 0; index < waiting.length;) {
    const message = waiting[index];
    const holder = [...workers].find((worker) => worker.open.has(message.id) || worker.running.has(message.id));
    if (holder?.running.has(message.id)) {
      index++;
      continue;
    }
    const worker = holder ?? freeWorker();
    if (!worker) break;
    waiting.splice(index, 1);
    worker.give(message);
  }
  if (ended && !waiting.length && ![...workers].some((worker) => worker.running.size)) finish();
}

function freeWorker() {
  const inUse = [...workers].filter((worker) => !worker.retired);
  const free = inUse.filter((worker) => worker.free).sort((one, other) => one.running.size - other.running.size)[0];
  if (inUse.length >= number("workers") || free?.running.size === 0) return free;
  const worker = new Worker();
  workers.add(worker);
  return worker;
}

function finish() {
  for (const worker of workers) worker.process.kill("SIGKILL");
  clearInterval(watch);
}

function number(name) {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1 || value > 64) {
    process.stderr.write(`--${name} ${values[name]} is not a whole number from 1 to 64\n`);
    process.exit(2);
  }
  return value;
}

const refusal = (id, failure) => ({
  id,
  ok: false,
  open: false,
  url: null,
  title: null,
  build: null,
  documentBuild: null,
  rendered: false,
  textLength: 0,
  documents: [],
  requests: [],
  errors: [],
  consoleErrors: [],
  external: [],
  failures: [failure],
  failedRequests: 0,
  cookies: {},
  ms: 0,
});
const write = (report) => process.stdout.write(`${JSON.stringify(report)}\n`);
const watch = setInterval(() => workers.forEach((worker) => worker.check()), 1_000);

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  if (!line.trim()) return;
  let message;
  try {
    message = JSON.parse(line);
  } catch {
    message = null;
  }
  if (!message || typeof message !== "object" || !["string", "number"].includes(typeof message.id)) {
    write(refusal(message?.id ?? null, "a message is a JSON object with an id, on one line"));
    return;
  }
  waiting.push(message);
  next();
});
lines.on("close", () => {
  ended = true;
  next();
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => (finish(), process.exit(0)));
