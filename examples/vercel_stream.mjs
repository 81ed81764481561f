// A stream by the Vercel AI SDK, with Whet's options, and the report that comes with its end:
// node vercel_stream.mjs "How much is 12 + 7?" http://127.0.0.1:8000/v1
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";

const [question, baseURL = "http://127.0.0.1:8000/v1"] = process.argv.slice(2);
const whet = createOpenAICompatible({ name: "whet", baseURL, apiKey: process.env.WHET_API_KEY });
const { fullStream } = streamText({
  model: whet("whet-pebble"),
  prompt: question,
  providerOptions: { whet: { adaptation: { strategy: "consistency", max_samples: 8 } } },
  includeRawChunks: true,
});
let report;
for await (const part of fullStream) {
  if (part.type === "text-delta") process.stdout.write(part.text);
  if (part.type === "raw") report = part.rawValue?.adaptation ?? report;
  if (part.type === "error") throw part.error;
}
const votes = report.votes.map(({ answer, count }) => `${answer} × ${count}`).join(", ");
console.log(`\n[${report.strategy}: ${votes}]`);
