// Verifies and reads one webhook as an application would. CLIENT names the package; PAYLOAD, HEADERS (JSON) and SECRET are what came.

const { default: OpenAI } = await import(process.env.CLIENT);
const client = new OpenAI({ apiKey: "unused", webhookSecret: process.env.SECRET });
const headers = JSON.parse(process.env.HEADERS);
const event = await client.webhooks.unwrap(process.env.PAYLOAD, headers);
const forged = await client.webhooks.unwrap(`${process.env.PAYLOAD} `, headers).then(
  () => "taken",
  (error) => error.constructor.name,
);
console.log(JSON.stringify({ event, forged }));
