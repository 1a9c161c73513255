// Where jsdom is installed: above this file in a clone, above the working folder when the package was installed by pip.

import { createRequire } from "node:module";
import { join } from "node:path";

const KNOWN_VERSION = "29.1.1";

/** A `require` that resolves as jsdom itself does. */
export function requireFromJsdom() {
  for (const start of [import.meta.url, join(process.cwd(), "package.json")]) {
    let found;
    try {
      found = createRequire(start).resolve("jsdom/package.json");
    } catch (error) {
      if (error.code !== "MODULE_NOT_FOUND") throw error;
      continue;
    }
    const require = createRequire(found);
    const { version } = require("jsdom/package.json");
    if (version === KNOWN_VERSION) return require;
    throw new Error(
      `jsdom is ${version} at ${found}; need ${KNOWN_VERSION}: npm install --save-dev --save-exact jsdom@${KNOWN_VERSION}`,
    );
  }
  throw new Error(
    `jsdom was not found above ${process.cwd()}; run npm ci in a clone, or npm install jsdom@${KNOWN_VERSION} here`,
  );
}
