import { type Hex, pad, parseTransaction } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { connectChain } from "../../../keepers/src/chain/client.ts";
import {
  createTransactionQueue,
  type Intent,
  type QueueOptions,
} from "../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../keepers/src/chain/transactions/store.ts";
import { openState } from "../../../keepers/src/storage/state/state.ts";
import { ByzantineChain } from "./byzantine-chain.ts";
import { ManualClock } from "./fixtures.ts";

export const account = privateKeyToAccount(pad("0xa11ce", { size: 32 }));
export const target = "0x00000000000000000000000000000000000057a1";
export const finality = 6;
export const minute = 60_000;
/** A call that succeeds in every block, and one that is reverted in odd ones. */
export const [sure, odd]: [Hex, Hex] = ["0x1230", "0x1231"];
export const intent = (key: string, more: Partial<Intent> = {}): Intent => {
  return { key, to: target, data: sure, value: 0n, ...more };
};

type Answer = (params: readonly unknown[], forward: () => Promise<unknown>) => unknown;

/** A queue on a chain in memory, and all that it says and sends; answers of the endpoint can be replaced. */
export async function world(options: Partial<QueueOptions> = {}) {
  const chain = new ByzantineChain(account, 1);
  const clock = new ManualClock();
  const state = openState({ path: ":memory:", schemas: [transactionSchema] });
  const answers: Record<string, Answer> = {};
  const asked: string[] = [];
  const raws: Hex[] = [];
  const events: [string, unknown][] = [];
  const note = (name: string) => (event: unknown) => void events.push([name, event]);
  const endpoint = chain.endpoint("n0", () => ({}), 1);
  const client = await connectChain({
    ...{ chainId: 1, clock, finality },
    endpoints: [
      {
        ...endpoint,
        request: async (request: { method: string; params?: readonly unknown[] }, signal: AbortSignal) => {
          const { method, params = [] } = request;
          asked.push(method);
          if (method === "eth_sendRawTransaction") raws.push(params[0] as Hex);
          const forward = () => endpoint.request(request as never, signal) as Promise<unknown>;
          const answer = answers[method];
          return answer === undefined ? forward() : answer(params, forward);
        },
      } as typeof endpoint,
    ],
  });
  const open = () =>
    createTransactionQueue({
      ...{ client, state, account, clock },
      replaceAfter: { milliseconds: minute, blocks: 5 },
      maximumFeePerGas: 10n ** 12n,
      observer: {
        sent: note("sent"),
        settled: note("settled"),
        waiting: note("waiting"),
        failed: note("failed"),
      },
      ...options,
    });
  const named = (name: string) => events.filter(([each]) => each === name).map(([, event]) => event);
  return { chain, clock, state, answers, asked, raws, events, named, open, queue: open() };
}
export type World = Awaited<ReturnType<typeof world>>;

export const sent = ({ raws }: World) => raws.map((raw) => parseTransaction(raw as `0x02${string}`));
export const mine = ({ chain }: World, blocks: number) => {
  for (let i = 0; i < blocks; i++) chain.mine();
};
/** The next block is odd, or even. */
export const nextIsOdd = (w: World, isOdd: boolean) =>
  mine(w, (w.chain.head + 1) % 2 === (isOdd ? 1 : 0) ? 0 : 1);
export const refuse = (message: string) => () => {
  throw Object.assign(new Error(message), { code: -32000 });
};
export const broken = () => {
  throw new Error("connection reset");
};
