import type { ContractEventName, GetContractEventsParameters, GetContractEventsReturnType } from "viem";
import { abis } from "../../chain/abi/index.ts";
import { addressOf } from "../../chain/contracts.ts";
import { isTooManyResults } from "../../chain/rpc/errors.ts";
import type { ChainView } from "./client.ts";

type Abis = typeof abis;
type EventName<N extends keyof Abis> = ContractEventName<Abis[N]>;
/** Values of indexed arguments; a list means any of them. */
export type EventArguments<N extends keyof Abis, E extends EventName<N>> = GetContractEventsParameters<
  Abis[N],
  E
>["args"];
export type Events<N extends keyof Abis, E extends EventName<N>> = GetContractEventsReturnType<
  Abis[N],
  E,
  true,
  bigint,
  bigint
>;

/**
 * Events of one kind since the deployment, oldest first. Ranges of blocks that an endpoint finds too large are cut in
 * half until it answers.
 */
export async function readLogs<N extends keyof Abis, E extends EventName<N>>(
  { chain, deployment }: ChainView,
  contract: N,
  eventName: E,
  args: EventArguments<N, E>,
): Promise<Events<N, E>> {
  const read = async (fromBlock: bigint, toBlock: bigint): Promise<Events<N, E>> => {
    try {
      const parameters = {
        address: addressOf(deployment, contract),
        abi: abis[contract],
        eventName,
        args,
        fromBlock,
        toBlock,
        strict: true,
      } as unknown as GetContractEventsParameters<Abis[N], E, true, bigint, bigint>;
      return await chain.public.getContractEvents(parameters);
    } catch (error) {
      if (fromBlock === toBlock || !isTooManyResults(error)) throw error;
      const middle = (fromBlock + toBlock) / 2n;
      return [...(await read(fromBlock, middle)), ...(await read(middle + 1n, toBlock))] as Events<N, E>;
    }
  };
  return read(deployment.startBlock, await chain.public.getBlockNumber({ cacheTime: 0 }));
}
