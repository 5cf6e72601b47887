import hre from "hardhat";
import {
  type Address,
  concatHex,
  createPublicClient,
  custom,
  type Hex,
  hexToBigInt,
  hexToNumber,
  keccak256,
  type Log,
  numberToHex,
  stringToHex,
} from "viem";
import { type HDAccount, mnemonicToAccount } from "viem/accounts";
import { hardhat } from "viem/chains";
import type { Call, ReadClient } from "../../chain/contracts.ts";
import type { DeployConnection } from "../../chain/deploy.ts";

/** Hardhat's published development mnemonic: its keys are known to everyone and hold value on no network. */
const developmentMnemonic = "test test test test test test test test test test test junk";

/** When simulated time begins, seconds since 1970: always the same, so that everything that follows is. */
const genesis = 1_800_000_000;
/** Gas that a transaction may use: what EIP-7825 allows. */
const gasLimit = 2 ** 24;

/** What became of a transaction. */
export type Sent = {
  readonly isRight: boolean;
  readonly gas: number;
  readonly logs: readonly Log[];
  /** Seconds since 1970. */
  readonly at: number;
};

/**
 * An Ethereum node in this process whose clock stands still unless it is moved: the simulated world's time. All pay the same
 * price for gas.
 */
export class SimulatedChain {
  readonly connection: DeployConnection;
  readonly client: ReadClient;
  readonly #gasPrice: Hex;
  readonly #accounts = new Map<number, HDAccount>();
  #transcript: Hex = keccak256(stringToHex("assay/simulation/v1"));
  #now = genesis;

  private constructor(connection: DeployConnection, gasPrice: bigint) {
    this.connection = connection;
    this.#gasPrice = numberToHex(gasPrice);
    this.client = createPublicClient({
      chain: hardhat,
      transport: custom(connection.provider, { retryCount: 0 }),
      cacheTime: 0,
    }) as ReadClient;
  }

  /** @param gasPrice wei for a unit of gas */
  static async open(gasPrice: bigint): Promise<SimulatedChain> {
    const connection = await hre.network.create({
      network: "embedded",
      override: {
        initialDate: new Date(1_000 * genesis).toISOString(),
        initialBaseFeePerGas: 0,
        allowBlocksWithSameTimestamp: true,
        throwOnTransactionFailures: false,
        throwOnCallFailures: true,
      },
    });
    return new SimulatedChain(connection, gasPrice);
  }

  /** Funded account of the development mnemonic. */
  account(index: number): HDAccount {
    let account = this.#accounts.get(index);
    if (account === undefined) {
      account = mnemonicToAccount(developmentMnemonic, { addressIndex: index });
      this.#accounts.set(index, account);
    }
    return account;
  }

  /** Seconds since 1970: when the next transaction will be mined. */
  get now(): number {
    return this.#now;
  }

  /** Hash of all that happened: the same seed gives the same. */
  get transcript(): Hex {
    return this.#transcript;
  }

  /** Moves the clock forward; never back. */
  moveTo(time: number): void {
    this.#now = Math.max(this.#now, time);
  }

  /** Moves the clock to the block that was mined last. */
  async synchronise(): Promise<void> {
    this.#now = Number((await this.client.getBlock()).timestamp);
  }

  /**
   * Has every transaction that somebody else sends meanwhile mined a second after the one before it, however long that takes:
   * else what follows would not be the same every time.
   */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const { provider } = this.connection;
    const request = provider.request.bind(provider);
    let last: Promise<unknown> = Promise.resolve();
    provider.request = ((call: Parameters<typeof request>[0]) => {
      if (call.method !== "eth_sendTransaction" && call.method !== "eth_sendRawTransaction")
        return request(call);
      const sent = last.then(async () => {
        this.#now += 1;
        await request({ method: "evm_setNextBlockTimestamp", params: [numberToHex(this.#now)] });
        return await request(call);
      });
      last = sent.catch(() => undefined);
      return sent;
    }) as typeof provider.request;
    try {
      return await work();
    } finally {
      provider.request = request as typeof provider.request;
    }
  }

  /** Sends a transaction and mines it at the present second, whether it is right or reverts. */
  async send(from: Address, { to, data, value }: Call): Promise<Sent> {
    const { provider } = this.connection;
    const timestamp = numberToHex(this.#now);
    await provider.request({ method: "evm_setNextBlockTimestamp", params: [timestamp] });
    const transaction = {
      from,
      to,
      data,
      value: numberToHex(value),
      gas: numberToHex(gasLimit),
      gasPrice: this.#gasPrice,
    };
    const hash = await provider.request({ method: "eth_sendTransaction", params: [transaction] });
    const receipt = (await provider.request({ method: "eth_getTransactionReceipt", params: [hash] })) as {
      status: Hex;
      gasUsed: Hex;
      logs: Log[];
    };
    const isRight = hexToNumber(receipt.status) === 1;
    const gas = hexToNumber(receipt.gasUsed);
    this.#note(
      concatHex([timestampWord(this.#now), from, to, numberToHex(gas, { size: 8 }), keccak256(data)]),
    );
    return { isRight, gas, logs: receipt.logs, at: this.#now };
  }

  async balanceOf(address: Address): Promise<bigint> {
    const { provider } = this.connection;
    return hexToBigInt(
      (await provider.request({ method: "eth_getBalance", params: [address, "latest"] })) as Hex,
    );
  }

  /** Keeps everything as it is now, to come back to. */
  async keep(): Promise<Snapshot> {
    const id = await this.connection.provider.request({ method: "evm_snapshot", params: [] });
    return { id: id as Hex, now: this.#now };
  }

  /** Goes back to what was kept, once; the transcript begins anew. */
  async goBack({ id, now }: Snapshot): Promise<void> {
    await this.connection.provider.request({ method: "evm_revert", params: [id] });
    this.#now = now;
    this.#transcript = keccak256(stringToHex("assay/simulation/v1"));
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  #note(entry: Hex): void {
    this.#transcript = keccak256(concatHex([this.#transcript, entry]));
  }
}

export type Snapshot = { readonly id: Hex; readonly now: number };

function timestampWord(time: number): Hex {
  return numberToHex(time, { size: 8 });
}
