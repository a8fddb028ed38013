// The same create by OpenAI's npm client with its defaults; CLIENT names the package (openai, openai6), found from the working folder.

import { createRequire } from "node:module";
import path from "node:path";

const { default: OpenAI } = createRequire(path.join(process.cwd(), "package.json"))(process.env.CLIENT);
const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY });
const said = { known: [], error: "" };
try {
  said.known.push((await client.fineTuning.jobs.create({ model: process.env.MODEL, training_file: process.env.FILE_ID })).id);
} catch (error) {
  said.error = error.constructor.name;
}
console.log(JSON.stringify(said));
