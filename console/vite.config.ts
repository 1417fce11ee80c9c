import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds a running platform. */
const platform = process.env.HULIAN_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: process.env.HULIAN_CONSOLE_OUT ?? "../src/hulian/platform/api/static",
    emptyOutDir: true,
    target: "es2022",
    // Nothing is inlined: the console runs under a policy that knows scripts and styles of its own address only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  server: { proxy: { "/api": { target: platform, changeOrigin: false } } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
