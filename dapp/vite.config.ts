import { join } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The page as a static build: it works below any path, from a web server or an IPFS gateway. */
export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  plugins: [react()],
  // The same parser, with what it uses of Node brought along.
  resolve: { alias: [{ find: /^csv-parse$/, replacement: "csv-parse/browser/esm" }] },
  worker: { format: "es" },
  build: {
    outDir: join(import.meta.dirname, "dist"),
    emptyOutDir: true,
    target: "es2023",
    manifest: true,
    // The content security policy allows no data: URLs but images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // What a first visit may load is held to its budget by test/dapp/build.test.ts, gzipped.
    chunkSizeWarningLimit: 1_000,
  },
});
