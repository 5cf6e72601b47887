import type { Address } from "viem";
import type { Contracts } from "../../chain/contracts.ts";
import { AssayError, BadInputError, exitCode } from "../../core/errors.ts";
import { peerIdText } from "../../storage/client/peers.ts";
import type { Host } from "../../storage/transport/host.ts";
import { type Reply, RpcClient } from "../../storage/transport/rpc-client.ts";
import { type IntervalMethods, intervalProtocol, mostPartBytes } from "../jobs/interval-protocol.ts";

/** What a provider hands over of the intervals that were drawn for a member; nothing of it is checked here but its size. */
export interface IntervalSource {
  /** The state before an interval, as bytes. @throws whatever keeps the provider from answering */
  state(interval: number, bytes: number, signal: AbortSignal): Promise<Uint8Array>;
  /** The sums of a step, as bytes. @throws whatever keeps the provider from answering */
  sums(step: number, bytes: number, signal: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Opens the source of a job's intervals; nothing is asked for before it is needed. */
export type OpenIntervalSource = (provider: Address, jobId: bigint) => IntervalSource;

/** A provider has registered no address at which members of committees could ask it. */
export class NothingServedError extends AssayError {
  override readonly name: string = "NothingServedError";

  constructor(provider: Address) {
    super(`${provider} serves nothing to committees`, {
      next: "The interval is executed again instead.",
      exitCode: exitCode.unavailable,
    });
  }
}

/** Reaches providers over libp2p at the peer ids and addresses that they registered. */
export function libp2pIntervals(host: Host, contracts: Pick<Contracts, "Staking">): OpenIntervalSource {
  return (provider, jobId) => {
    let client: Promise<RpcClient<IntervalMethods>> | undefined;
    const connected = (signal: AbortSignal) => {
      client ??= connect(host, contracts, provider, signal);
      client.catch(() => {
        client = undefined;
      });
      return client;
    };
    const receive = async (
      bytes: number,
      signal: AbortSignal,
      call: (client: RpcClient<IntervalMethods>) => Promise<Reply<unknown>>,
    ) => {
      if (bytes > mostPartBytes) throw new BadInputError(`${bytes} bytes are too many to be handed over`);
      const reply = await call(await connected(signal));
      // Before anything is read: how much it must be is known here.
      if (reply.bodyLength !== bytes) {
        reply.discard();
        throw new BadInputError(`the provider answers with ${reply.bodyLength} bytes, not ${bytes}`);
      }
      const body = new Uint8Array(bytes);
      let filled = 0;
      for await (const piece of reply.body) {
        body.set(piece, filled);
        filled += piece.length;
      }
      return body;
    };
    const id = String(jobId);
    return {
      state: (interval, bytes, signal) =>
        receive(bytes, signal, (asked) => asked.call("state", { jobId: id, interval }, { signal })),
      sums: (step, bytes, signal) =>
        receive(bytes, signal, (asked) => asked.call("sums", { jobId: id, step }, { signal })),
      close: async () => {
        await (await client?.catch(() => undefined))?.close();
      },
    };
  };
}

async function connect(
  host: Host,
  contracts: Pick<Contracts, "Staking">,
  provider: Address,
  signal: AbortSignal,
): Promise<RpcClient<IntervalMethods>> {
  const [peerId, endpoint] = await contracts.Staking.read.identityOf([provider]);
  if (endpoint === "") throw new NothingServedError(provider);
  return RpcClient.connect(host, intervalProtocol, endpoint, { peer: peerIdText(peerId), signal });
}
