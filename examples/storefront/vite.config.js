import { cpSync, existsSync } from "node:fs";
import { join, relative } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const root = import.meta.dirname;

// What each flavour lays over the first build, in order: a file there stands in for the same path in src/ or public/.
const OVERLAYS = { first: [], second: ["second"], bad: ["second", "bad"] };

function overlays(flavour) {
  const folders = (OVERLAYS[flavour] ?? []).map((name) => join(root, "flavours", name));
  let output;
  return {
    name: "flavour-overlays",
    enforce: "pre",
    configResolved: (config) => {
      output = config.build.outDir;
    },
    async resolveId(source, importer, options) {
      const found = importer && (await this.resolve(source, importer, { ...options, skipSelf: true }));
      if (!found || !found.id.startsWith(join(root, "src"))) return null;
      const path = relative(root, found.id);
      const overlay = folders.map((folder) => join(folder, path)).findLast((candidate) => existsSync(candidate));
      return overlay ?? found;
    },
    writeBundle() {
      for (const folder of folders) {
        const files = join(folder, "public");
        if (existsSync(files)) cpSync(files, output, { recursive: true });
      }
    },
  };
}

export default defineConfig(({ mode }) => ({
  root,
  plugins: [overlays(mode), react()],
  // An overlay imports its neighbours as if it stood in src/.
  resolve: { alias: { "@": join(root, "src") } },
  build: {
    outDir: join(root, "dist", mode),
    emptyOutDir: true,
    // Real files instead of data: URLs, and names that depend on nothing but the content.
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        codeSplitting: {
          // Kept out of the entry, whose name changes with every build, so that pages that did not change keep theirs.
          groups: [
            { name: "react", test: /node_modules[\\/](react|react-dom|scheduler)[\\/]/ },
            { name: "shell", test: /src[\\/]shell[\\/]/ },
          ],
        },
      },
    },
  },
}));
