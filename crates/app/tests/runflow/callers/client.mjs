// A caller as an integrator writes one, with `fetch` alone: upload, run, poll, download; a batch with a signed callback; one
// run's output as the next one's input. Called with the base URL, a key, a picture's path and a model's id.

import { createHmac, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { basename } from "node:path";

const [base, key, picture, model] = process.argv.slice(2);
if (!/^[a-z0-9_]+$/i.test(key)) throw new Error("this is no key");
const terminal = new Set(["succeeded", "partial_succeeded", "failed", "canceled"]);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function call(method, path, body, headers = {}) {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await fetch(base + path, {
      method,
      headers: { Authorization: `Bearer ${key}`, ...(body ? { "Content-Type": "application/json" } : {}), ...headers },
      body: body ? JSON.stringify(body) : undefined,
    });
    if (answer.ok) return answer.status === 204 ? null : answer.json();
    const again = answer.status === 429 || answer.status >= 500;
    if (!again || attempt === 4) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    await sleep(100 * 2 ** attempt);
  }
}

async function upload(path) {
  const bytes = await readFile(path);
  const mime_type = path.endsWith(".png") ? "image/png" : "image/jpeg";
  const ticket = await call("POST", "/v1/asset-uploads", { filename: basename(path), mime_type, size_bytes: bytes.length });
  const put = await fetch(ticket.upload_url, { method: "PUT", headers: { "Content-Type": mime_type }, body: bytes });
  if (![200, 201, 204].includes(put.status)) throw new Error(`upload: ${put.status}`);
  return call("POST", `/v1/asset-uploads/${ticket.asset_id}/confirmations`, { folder_id: null });
}

async function wait(run) {
  while (!terminal.has(run.status_code)) {
    await sleep(100);
    run = await call("GET", `/v1/runs/${run.id}?add_signature=true`);
  }
  if (run.status_code !== "succeeded") throw new Error(JSON.stringify(run.error));
  return run;
}

const output = (run) => run.output.outputs?.[0]?.url ?? run.output.image_urls[0];
const download = async (url) => {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`download: ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
};

// Upload, run, poll, download.
const asset = await upload(picture);
const run = await wait(
  await call("POST", `/v1/models/${model}/runs`, { input: { image_url: `runflow://assets/${asset.id}` }, client_ref: "js-1" }),
);
if (!/\.(png|jpe?g|webp|gif)$/i.test(new URL(output(run)).pathname)) throw new Error(output(run));
if ((await download(output(run))).length < 100) throw new Error("an empty picture");
if (!Number.isFinite(Number(run.cost))) throw new Error(`cost ${run.cost}`);

// One run's output is the next one's input.
const chained = await wait(await call("POST", `/v1/models/${model}/runs`, { input: { image_url: output(run) } }));
await download(output(chained));

// A batch, with its callback checked as the guide says.
const { plain_secret: secret } = await call("POST", "/v1/callback-secrets", { label: "javascript" });
const secrets = await call("GET", "/v1/callback-secrets");
const mine = secrets.items.find((one) => one.label === "javascript");
await call("PATCH", `/v1/callback-secrets/${mine.id}`, { is_current: true });
let told;
const came = new Promise((done) => {
  told = done;
});
const server = createServer((request, answer) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    answer.end();
    told({ signature: request.headers["runflow-signature"], body: Buffer.concat(parts) });
  });
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const batch = await call(
  "POST",
  `/v1/models/${model}/batches`,
  {
    input: [0, 1, 2].map((n) => ({ image_url: asset.url, client_ref: `sku-${n}` })),
    callback_url: `http://127.0.0.1:${server.address().port}/hook`,
  },
  { "Idempotency-Key": "javascript-batch-1" },
);
const { signature, body } = await came;
const expected = createHmac("sha256", secret).update(body).digest();
if (!/^[0-9a-f]{64}$/.test(signature) || !timingSafeEqual(expected, Buffer.from(signature, "hex"))) throw new Error("a bad signature");
const event = JSON.parse(body.toString());
if (event.event !== "batch.succeeded" || event.batch_id !== batch.id || event.metadata !== null) throw new Error(body.toString());
const items = await call("GET", `/v1/batches/${batch.id}/items`);
for (const item of items.items) await download(item.output.image_urls[0]);
server.close();
console.log("javascript: fine");
