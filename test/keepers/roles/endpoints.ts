import {
  type Abi,
  type Address,
  decodeFunctionData,
  encodeFunctionResult,
  isAddressEqual,
  toHex,
} from "viem";
import { abis, type ContractName } from "../../../keepers/src/chain/abi/index.ts";
import { addressOf } from "../../../keepers/src/chain/contracts.ts";
import type { Endpoint } from "../../../keepers/src/chain/rpc/endpoint.ts";
import { deployment } from "./dataset.ts";
import type { Reads } from "./doubles.ts";

const hashOf = (block: bigint) => toHex(block, { size: 32 });

type Call = { readonly to: Address; readonly data: `0x${string}` };

/** An endpoint over tables of what contracts say; `asked` names what was called of them, and the methods of what else was asked. */
export class TableEndpoint implements Endpoint {
  readonly name: string;
  readonly asked: string[] = [];
  reads: Reads;
  /** What is said of the newest block alone, where no other endpoint's answer is held against it; as `reads` when left out. */
  latest: Reads | undefined;
  /** Timestamp of the newest block, seconds. */
  now: () => bigint;
  block = 100n;
  /** What is thrown instead of any answer. */
  failure: Error | undefined;

  constructor(name: string, reads: Reads, now: () => bigint = () => 1_000n) {
    this.name = name;
    this.reads = reads;
    this.now = now;
  }

  async request({ method, params }: { method: string; params?: unknown }): Promise<unknown> {
    if (this.failure !== undefined) throw this.failure;
    if (method === "eth_call") return this.#call(...(params as [Call, unknown]));
    this.asked.push(method);
    if (method === "eth_chainId") return toHex(deployment.chainId);
    if (method === "eth_blockNumber") return toHex(this.block);
    if (method === "eth_getBlockByNumber") {
      const parentHash = hashOf(this.block - 1n);
      return {
        number: toHex(this.block),
        hash: hashOf(this.block),
        parentHash,
        timestamp: toHex(this.now()),
      };
    }
    throw new Error(`this endpoint has no ${method}`);
  }

  #call({ to, data }: Call, block: unknown): unknown {
    const reads = block === "latest" ? (this.latest ?? this.reads) : this.reads;
    for (const [contract, functions] of Object.entries(reads)) {
      const name = contract as ContractName;
      if (!isAddressEqual(addressOf(deployment, name), to)) continue;
      const abi = abis[name] as Abi;
      const { functionName, args = [] } = decodeFunctionData({ abi, data });
      this.asked.push(`${name}.${functionName}`);
      const read = functions[functionName];
      if (read === undefined) throw new Error(`nothing is said of ${name}.${functionName}`);
      return encodeFunctionResult({ abi, functionName, result: read(args as never) } as never);
    }
    throw new Error(`nothing is said of a contract at ${to}`);
  }
}
