// What a first visit loads: script and style of the entry, the login or overview page and one language, in gzip bytes.
// Fails past the budget, so that the console stays quick on a plant's slowest link.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const budget = 60 * 1024;
const out = process.env.HULIAN_CONSOLE_OUT ?? "../src/hulian/platform/api/static";
const manifestPath = join(out, ".vite", "manifest.json");
if (!existsSync(manifestPath)) {
  console.error("no build found: run `npm run build` first");
  process.exit(2);
}
const manifest = JSON.parse(readFileSync(manifestPath, "utf8"));
const size = (file) => readFileSync(join(out, `${file}.gz`)).length;

function closure(keys) {
  const chunks = new Set();
  const files = new Set();
  const queue = [...keys];
  while (queue.length) {
    const key = queue.pop();
    const chunk = manifest[key];
    if (!chunk || chunks.has(key)) continue;
    chunks.add(key);
    files.add(chunk.file);
    for (const style of chunk.css ?? []) files.add(style);
    queue.push(...(chunk.imports ?? []));
  }
  return files;
}

let failed = false;
for (const language of ["en", "zh"]) {
  const files = closure(["index.html", "src/pages/Overview.svelte", `src/texts/${language}.ts`]);
  const total = [...files].reduce((sum, file) => sum + size(file), 0);
  console.log(
    `first load (${language}): ${(total / 1024).toFixed(1)} KiB gzip of ${budget / 1024} KiB, ${files.size} files`,
  );
  if (total > budget) failed = true;
}
const whole = Object.values(manifest).filter((chunk) => /\.(?:js|css)$/.test(chunk.file));
for (const chunk of whole.sort((a, b) => size(b.file) - size(a.file))) {
  console.log(`  ${(size(chunk.file) / 1024).toFixed(1).padStart(6)}  ${chunk.file}`);
}
if (failed) {
  console.error("the first load is over its budget");
  process.exit(1);
}
