// What the Vercel AI SDK gets from a server: `node vercel.mjs URL` prints it as JSON.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const whet = createOpenAICompatible({
  name: "whet",
  baseURL: `${process.argv[2]}/v1`,
  apiKey: "none",
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const model = whet("whet-pebble");
const story =
  "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?";

const whole = await generateText({ model, prompt: story });
const stream = streamText({ model, prompt: story, includeRawChunks: true });
const pieces = [];
const rawChunks = [];
for await (const part of stream.fullStream) {
  if (part.type === "text-delta") pieces.push(part.text);
  if (part.type === "raw") rawChunks.push(part.rawValue);
}
const usage = await stream.usage;
const { object } = await generateObject({
  model,
  schema: z.object({ name: z.string(), age: z.number().int() }),
  prompt: "Reply in JSON with keys name and age: Tom is 12.",
});
const weather = tool({
  description: "Tell the weather.",
  inputSchema: z.object({ city: z.string() }),
});
const tools = { get_weather: weather };
const ask = { model, tools, prompt: "What is the weather in Paris?", stopWhen: stepCountIs(1) };
const called = await generateText(ask);
const streamedCall = streamText(ask);
const streamedCalls = await streamedCall.toolCalls;
const { embeddings } = await embedMany({
  model: whet.textEmbeddingModel("all-MiniLM-L6-v2"),
  values: ["a cat", "a dog"],
});
const callOf = ({ toolName, input }) => ({ name: toolName, input });
console.log(
  JSON.stringify({
    text: whole.text,
    finishReason: whole.finishReason,
    outputTokens: whole.usage.outputTokens,
    streamed: pieces.join(""),
    pieces: pieces.length,
    streamedTokens: usage.outputTokens,
    object,
    calls: called.toolCalls.map(callOf),
    callFinish: called.finishReason,
    streamedCalls: streamedCalls.map(callOf),
    report: {
      whole: whole.response.body?.adaptation?.strategy ?? null,
      id: whole.response.id,
      headers: whole.response.headers["x-whet-strategy"] ?? null,
      streamHeaders: (await stream.response).headers?.["x-whet-strategy"] ?? null,
      pieces: rawChunks.findLast((chunk) => chunk?.adaptation)?.adaptation.strategy ?? null,
      gathered: JSON.stringify(await stream.steps).includes("adaptation"),
    },
    dimensions: embeddings.map((vector) => vector.length),
  }),
);
