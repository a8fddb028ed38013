// A job's life as a program in JavaScript lives it: file, job, events, checkpoints, chat, stream. Prints what it saw as JSON.
// CLIENT names the package (openai, openai6); BASE_URL, API_KEY, MODEL, TRAIN (a path) and SECONDS say where and how long.

import fs from "node:fs";

const { default: OpenAI, NotFoundError, BadRequestError } = await import(process.env.CLIENT);
const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY, maxRetries: 0, timeout: 110_000 });
const seen = {};

const file = await client.files.create({ file: fs.createReadStream(process.env.TRAIN), purpose: "fine-tune" });
seen.file = (await client.files.waitForProcessing(file.id, { pollInterval: 50 })).status;
seen.content = (await (await client.files.content(file.id)).text()).length;

let job = await client.fineTuning.jobs.create({
  model: process.env.MODEL,
  training_file: file.id,
  suffix: "from-node",
  seed: 7,
  metadata: { app: "node" },
  method: { type: "supervised", supervised: { hyperparameters: { n_epochs: 1 } } },
});
seen.created = { object: job.object, model: job.model, metadata: job.metadata, requestId: typeof job._request_id };

const deadline = Date.now() + 1000 * Number(process.env.SECONDS ?? 60);
while (!["succeeded", "failed", "cancelled"].includes(job.status)) {
  if (Date.now() > deadline) throw new Error(`${job.id} is ${job.status}`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  job = await client.fineTuning.jobs.retrieve(job.id);
}
seen.job = { id: job.id, status: job.status, error: job.error, tokens: job.trained_tokens, model: job.fine_tuned_model };

seen.listed = [];
for await (const each of client.fineTuning.jobs.list({ limit: 1 })) seen.listed.push(each.id);
seen.events = [];
for await (const event of client.fineTuning.jobs.listEvents(job.id, { limit: 2 })) seen.events.push(event.message);
seen.checkpoints = [];
for await (const point of client.fineTuning.jobs.checkpoints.list(job.id)) seen.checkpoints.push(point.fine_tuned_model_checkpoint);
seen.results = (await (await client.files.content(job.result_files[0])).text()).length;

const asked = { model: job.fine_tuned_model, messages: [{ role: "user", content: "3 cups of rice" }], max_tokens: 8 };
seen.answer = (await client.chat.completions.create(asked)).choices[0].message.content;
seen.streamed = "";
for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) seen.streamed += chunk.choices[0]?.delta?.content ?? "";
seen.models = [];
for await (const model of client.models.list()) seen.models.push(model.id);
seen.owned = (await client.models.retrieve(job.fine_tuned_model)).id;

const kind = (error) => (error instanceof NotFoundError ? "NotFoundError" : error instanceof BadRequestError ? "BadRequestError" : String(error));
seen.errors = {};
await client.fineTuning.jobs.retrieve("ftjob-nothing").catch((error) => (seen.errors.job = [kind(error), error.status, typeof error.requestID]));
await client.files.create({ file: new File(["{}"], "a.jsonl"), purpose: "batch" }).catch((error) => (seen.errors.purpose = [kind(error), error.status]));
await client.fineTuning.jobs.create({ model: process.env.MODEL, training_file: "file-nothing" }).catch((error) => (seen.errors.order = [kind(error), error.status]));

console.log(JSON.stringify(seen));
