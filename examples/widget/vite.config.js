import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { defineConfig } from "vite";

const root = import.meta.dirname;

/** A file of flavours/<flavour>/ stands in for the same path under src/. */
function overlay(flavour) {
  return {
    name: "flavour-overlay",
    enforce: "pre",
    async resolveId(source, importer, options) {
      const found = importer && (await this.resolve(source, importer, { ...options, skipSelf: true }));
      if (!found || !found.id.startsWith(join(root, "src"))) return null;
      const other = join(root, "flavours", flavour, relative(root, found.id));
      return existsSync(other) ? other : found;
    },
  };
}

export default defineConfig(({ mode }) => ({
  root,
  // Everything is found relative to widget.js, wherever that is served from.
  base: "./",
  publicDir: false,
  plugins: [overlay(mode)],
  build: {
    outDir: join(root, "dist", mode),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: false,
    rolldownOptions: {
      input: { widget: join(root, "src/widget.js"), demo: join(root, "demo.html") },
      output: {
        // The one name that pages of others know; it must follow the rollout, so it carries no hash.
        entryFileNames: ({ name }) => (name === "widget" ? "widget.js" : "assets/[name]-[hash].js"),
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
      },
    },
  },
}));
