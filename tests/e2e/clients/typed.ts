// Compiled, never run: an app that types Whet's part of openai-node's objects.
import OpenAI from "openai";
import type { Asking, Progress, Report, Reported, ReportedChunk } from "./whet";

const client = new OpenAI({ baseURL: "http://127.0.0.1:8000/v1", apiKey: "none" });
const messages = [{ role: "user" as const, content: "What is 12 + 30?" }];

export async function answer(): Promise<Report | undefined> {
  const body: OpenAI.ChatCompletionCreateParamsNonStreaming & Asking = {
    model: "whet-pebble",
    messages,
    adaptation: { strategy: "auto", budget: { tokens: 2000 }, memory: { write: false } },
  };
  const completion: OpenAI.ChatCompletion & Reported = await client.chat.completions.create(body);
  return completion.adaptation;
}

export async function* votes(): AsyncGenerator<Progress> {
  const body: OpenAI.ChatCompletionCreateParamsStreaming & Asking = {
    model: "whet-pebble",
    messages,
    stream: true,
    adaptation: { progress: true },
  };
  for await (const chunk of await client.chat.completions.create(body)) {
    const said = (chunk as typeof chunk & ReportedChunk).adaptation;
    if (said && "progress" in said) yield said.progress;
  }
}

// @ts-expect-error - no such strategy
export const misspelt: Asking = { adaptation: { strategy: "magic" } };
// @ts-expect-error - no such option
export const unknown: Asking = { adaptation: { max_sample: 4 } };
