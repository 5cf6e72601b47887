/** Clients that ask one query again and again, in a process of their own: `query-clients.ts <url> <clients> <calls> <query>`. */
import { operatorAt } from "../../test/subgraph/event-chain.ts";

const [url, clients, calls, query] = process.argv.slice(2) as [string, string, string, string];
const operators = 10_007;

async function ask(i: number): Promise<number> {
  const id = operatorAt((i * 31) % operators);
  const variables = query.includes("$id") ? { id } : {};
  const start = performance.now();
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const text = await answer.text();
  const took = performance.now() - start;
  if (text.startsWith('{"errors"')) throw new Error(text.slice(0, 500));
  return took;
}

const times: number[] = [];
let next = 0;
const client = async () => {
  for (let i = next++; i < Number(calls); i = next++) times.push(await ask(i));
};
const all = Array.from({ length: Number(clients) });
// Connections and compiled code are there before anything is counted.
await Promise.all(all.map((_, i) => ask(i)));
await Promise.all(all.map(client));
process.stdout.write(JSON.stringify(times));
