// ES modules of one document: the module map, resolution with import maps, and the errors as browsers word them.

import vm from "node:vm";

const JAVASCRIPT = /^(text|application)\/(x-)?(java|ecma)script\b/i;
const JSON_TYPE = /^[\w.+-]+\/([\w.+-]+\+)?json\b/i;

/** A module that could not be had, as opposed to one that threw. */
export class ModuleUnavailable extends Error {}

export class ModuleMap {
  #modules = new Map();
  #evaluations = new WeakMap();
  #linking = Promise.resolve();

  /**
   * @param document {context, baseUrl(), fetch(url) -> {url, status, headers, body}, ownError(Type, message),
   *   work(promise): counts it, timeoutMs: for the synchronous part of an evaluation}
   */
  constructor(document) {
    this.document = document;
    this.imports = {};
  }

  addImportMap(text) {
    Object.assign(this.imports, JSON.parse(text).imports ?? {});
  }

  resolve(specifier, referrer) {
    const mapped = this.imports[specifier];
    if (mapped !== undefined) return new URL(mapped, this.document.baseUrl()).href;
    const prefix = Object.keys(this.imports)
      .filter((key) => key.endsWith("/") && specifier.startsWith(key))
      .sort((one, other) => other.length - one.length)[0];
    if (prefix)
      return new URL(specifier.slice(prefix.length), new URL(this.imports[prefix], this.document.baseUrl())).href;
    if (/^\.{0,2}\//.test(specifier) || URL.canParse(specifier)) return new URL(specifier, referrer).href;
    throw this.document.ownError("TypeError", `Failed to resolve module specifier "${specifier}"`);
  }

  /** Fetches a module and all it imports, and links them; nothing runs yet. */
  async prepare(url, type = "javascript") {
    const root = await this.#graph(url, type);
    return this.#link(root);
  }

  prepareInline(text, url) {
    const root = this.#compile(text, url);
    return this.#dependencies(root).then(() => this.#link(root));
  }

  /** Fetches one module without what it imports, as modulepreload does. */
  preload(url) {
    return this.#fetched(url);
  }

  /** Runs a prepared module, once; the promise is of its top-level awaits too. */
  evaluate(module) {
    if (!this.#evaluations.has(module)) {
      this.#evaluations.set(module, module.evaluate({ timeout: this.document.timeoutMs }));
    }
    return this.#evaluations.get(module);
  }

  /** `import(specifier)`. */
  dynamicImport(specifier, referrer, attributes) {
    return this.document.work(this.#import(specifier, referrer, attributes));
  }

  async #import(specifier, referrer, attributes) {
    const url = this.resolve(specifier, referrer);
    let module;
    try {
      module = await this.prepare(url, attributes?.type ?? "javascript");
    } catch (error) {
      if (!(error instanceof ModuleUnavailable)) throw error;
      throw this.document.ownError("TypeError", `Failed to fetch dynamically imported module: ${url}`);
    }
    if (module.status !== "evaluating") await this.evaluate(module);
    return module.namespace;
  }

  async #graph(url, type, seen = new Set()) {
    seen.add(url);
    const module = await this.#fetched(url, type);
    await this.#dependencies(module, seen);
    return module;
  }

  async #dependencies(module, seen = new Set()) {
    const urls = (module.dependencySpecifiers ?? []).map((specifier) => this.resolve(specifier, module.identifier));
    await Promise.all(urls.filter((url) => !seen.has(url)).map((url) => this.#graph(url, undefined, seen)));
  }

  // One at a time: two graphs that share a module must not link it at once. Everything is fetched by then.
  async #link(root) {
    const linked = this.#linking.then(async () => {
      if (root.status === "unlinked") {
        await root.link((specifier, { identifier }) => this.#fetched(this.resolve(specifier, identifier)));
      }
      return root;
    });
    this.#linking = linked.catch(() => {});
    return linked;
  }

  #fetched(url, type) {
    if (!this.#modules.has(url)) {
      const module = this.#fetch(url, type);
      this.#modules.set(url, module);
      // A module that could not be fetched may be asked for again.
      module.catch((error) => error instanceof ModuleUnavailable && this.#modules.delete(url));
    }
    return this.#modules.get(url);
  }

  async #fetch(url, type) {
    let answer;
    try {
      answer = await this.document.fetch(url);
    } catch (error) {
      throw new ModuleUnavailable(`${url}: ${error.message}`, { cause: error });
    }
    const contentType = answer.headers["content-type"] ?? "";
    if (answer.status < 200 || answer.status > 299) throw new ModuleUnavailable(`${url}: status ${answer.status}`);
    // Node does not say the type that a static import asks for; a browser would want `with { type: "json" }`.
    if (type !== "javascript" && JSON_TYPE.test(contentType)) return this.#json(answer);
    if (!JAVASCRIPT.test(contentType))
      throw new ModuleUnavailable(`${url}: ${contentType || "no content type"} is not a script`);
    return this.#compile(answer.body.toString("utf8"), answer.url);
  }

  #compile(text, url) {
    return new vm.SourceTextModule(text, {
      context: this.document.context,
      identifier: url,
      initializeImportMeta: (meta) => {
        meta.url = url;
        meta.resolve = (specifier) => this.resolve(specifier, url);
      },
      importModuleDynamically: (specifier, _module, attributes) => this.dynamicImport(specifier, url, attributes),
    });
  }

  #json({ url, body }) {
    const { context } = this.document;
    const module = new vm.SyntheticModule(
      ["default"],
      () => module.setExport("default", vm.runInContext("JSON.parse", context)(body.toString("utf8"))),
      { context, identifier: url },
    );
    return module;
  }
}
