import { pino } from "pino";
import {
  type Abi,
  type ContractFunctionArgs,
  decodeFunctionData,
  encodeFunctionData,
  type Hex,
  isAddressEqual,
  type Log,
  parseAbi,
  zeroHash,
} from "viem";
import { abis, type ContractName } from "../../keepers/src/chain/abi/index.ts";
import type { ChainClient } from "../../keepers/src/chain/client.ts";
import { type AssayEvent, type Call, encodeCall, type WriteName } from "../../keepers/src/chain/contracts.ts";
import { deployedNames } from "../../keepers/src/chain/deployment-format.ts";
import { decodeEvent, type Followed, followedContracts } from "../../keepers/src/chain/follower/decode.ts";
import { TransactionFailedError } from "../../keepers/src/chain/transactions/errors.ts";
import type { JobContext } from "../../keepers/src/roles/jobs/duty.ts";
import { JobLedger, jobLedgerHandler, jobLedgerSchema } from "../../keepers/src/roles/jobs/job-ledger.ts";
import type { Dice } from "../../keepers/src/roles/simulation/dice.ts";
import type { ToldRun } from "../../keepers/src/roles/simulation/told-run.ts";
import {
  ledgerHandler,
  ledgerSchema,
  Ledger as StorageLedger,
} from "../../keepers/src/roles/storage-node/ledger.ts";
import {
  CommitteeLedger,
  committeeHandler,
  committeeSchema,
} from "../../keepers/src/roles/validator/committee-ledger.ts";
import { openState, type State } from "../../keepers/src/storage/state/state.ts";
import type { Committee } from "./agents/committee.ts";
import { type Party, partyNames } from "./cast.ts";
import type { Anchored } from "./datasets.ts";
import type { Ledger } from "./ledger.ts";
import { Truth } from "./truth.ts";
import type { Action, CoalitionWorld } from "./world.ts";

/** What an event of the chain may start: a halt, a surrender, a friend's challenge. */
export type Listener = (event: AssayEvent) => void;

/** Seconds during which nothing is mined, or nothing of one party. */
type Silence = { readonly from: number; readonly to: number; readonly party: Party | undefined };

/** Times in events that lie farther ahead mean nothing to a walk. */
const farthest = 400 * 86_400;
const log = pino({ level: "silent" });

/** One walk: the chain, what is true, what keepers have read of the chain, and who belongs to whom. */
export class Scene {
  readonly world: CoalitionWorld;
  readonly coalition: ReadonlySet<Party>;
  readonly dice: Dice;
  readonly truth = new Truth();
  readonly ledger: Ledger;
  /** What keepers know of jobs and bundles, by the code that follows the chain for them. */
  readonly jobs: JobLedger;
  readonly bundles: StorageLedger;
  readonly committeeLedger: CommitteeLedger;
  /** Datasets by their ids. */
  readonly datasets = new Map<Hex, Anchored>();
  /** Runs by their trace roots: what is published of them can be read by everybody. */
  readonly claimed = new Map<Hex, ToldRun>();
  /** Runs by the trace roots of their checkpoints. */
  readonly begun = new Map<Hex, ToldRun>();
  /** Epochs that are audited, with their seeds. */
  readonly open: { readonly epoch: number; readonly seed: Hex }[] = [];
  readonly events: AssayEvent[] = [];
  readonly actions: Action[] = [];
  /** Intervals that a member of a committee checks. */
  readonly checks: number;
  readonly #state: State;
  readonly #followed: Followed;
  readonly #listeners: Listener[] = [];
  readonly #wakes = new Set<number>();
  readonly #silences: Silence[] = [];
  readonly #tried = new Map<string, number>();

  constructor(world: CoalitionWorld, coalition: ReadonlySet<Party>, dice: Dice, ledger: Ledger) {
    this.world = world;
    this.coalition = coalition;
    this.dice = dice;
    this.ledger = ledger;
    this.checks = world.tariff.checks;
    this.#state = openState({ path: ":memory:", schemas: [jobLedgerSchema, ledgerSchema, committeeSchema] });
    this.jobs = new JobLedger(this.#state);
    this.bundles = new StorageLedger(this.#state);
    this.committeeLedger = new CommitteeLedger(this.#state);
    this.#followed = followedContracts(world.deployment, deployedNames);
    for (const action of world.actions) this.#take(action);
  }

  get now(): number {
    return this.world.chain.now;
  }

  isHonest(party: Party): boolean {
    return !this.coalition.has(party);
  }

  on(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /** Where committees stand. */
  committees!: Pick<Committee, "signed" | "leavesOf">;

  /** Asks for a look at a time; what is past means the next. */
  wakeAt(time: number): void {
    if (time > this.now) this.#wakes.add(time);
  }

  /** The next time at which there may be something to do. */
  nextWake(): number | undefined {
    let next: number | undefined;
    for (const time of this.#wakes) {
      if (time <= this.now) this.#wakes.delete(time);
      else if (next === undefined || time < next) next = time;
    }
    return next;
  }

  /** Moves the clock, over the seconds in which nothing is mined, to a new block: reads see its time. */
  async moveTo(time: number): Promise<void> {
    let reached = time;
    for (const { from, to, party } of this.#silences) {
      if (party === undefined && reached >= from && reached < to) reached = to;
    }
    const { chain } = this.world;
    chain.moveTo(reached);
    const { provider } = chain.connection;
    await provider.request({ method: "evm_setNextBlockTimestamp", params: [chain.now] });
    await provider.request({ method: "evm_mine", params: [] });
  }

  /** Has nothing mined for some seconds from now on, or nothing of one party. */
  silence(seconds: number, party?: Party): void {
    const from = this.now + 1;
    this.#silences.push({ from, to: from + seconds, party });
    this.wakeAt(from + seconds);
  }

  /** Whether the walk had a time in which nobody, or not this party, could act. */
  wasSilenced(): boolean {
    return this.#silences.length > 0;
  }

  isSilenced(party: Party): boolean {
    return this.#silences.some((each) => each.party === party && this.now >= each.from && this.now < each.to);
  }

  /** Calls a contract. Says whether it was done. */
  async send<N extends ContractName, F extends WriteName<N>>(
    from: Party,
    name: N,
    functionName: F,
    args: ContractFunctionArgs<(typeof abis)[N], "nonpayable" | "payable", F>,
    value = 0n,
  ): Promise<boolean> {
    const call = encodeCall(this.world.deployment, name, functionName, args, value);
    return (await this.#submit(from, call))?.sent.isRight ?? false;
  }

  /** Has the two parties pause a contract: here both are the deployer. */
  async pause(contract: "Staking" | "Market" | "JobRegistry"): Promise<boolean> {
    if (this.isSilenced("deployer")) return false;
    const { world } = this;
    const { guardian } = world.deployment.governance!;
    const abi = parseAbi([
      "function schedule(address target, uint256 value, bytes data, bytes32 before, bytes32 salt, uint256 delay)",
      "function execute(address target, uint256 value, bytes data, bytes32 before, bytes32 salt)",
    ]);
    const { to, data: pause } = encodeCall(world.deployment, contract, "pause", []);
    const call = [to, 0n, pause, zeroHash, zeroHash] as const;
    const from = world.address("deployer");
    let isDone = true;
    for (const data of [
      encodeFunctionData({ abi, functionName: "schedule", args: [...call, 0n] }),
      encodeFunctionData({ abi, functionName: "execute", args: call }),
    ]) {
      const sent = await world.chain.send(from, { to: guardian, data, value: 0n });
      const action = { at: sent.at, from, contract, name: "pause", args: [], value: 0n, sent };
      this.actions.push(action);
      this.#take(action);
      isDone = sent.isRight;
    }
    return isDone;
  }

  /** As {@link send}, once for each key, and again only once time has gone by. */
  async try<N extends ContractName, F extends WriteName<N>>(
    key: string,
    ...call: Parameters<typeof this.send<N, F>>
  ): Promise<boolean> {
    const name = `${call[0]}:${key}`;
    const last = this.#tried.get(name);
    if (last === Number.POSITIVE_INFINITY || last === this.now || this.isSilenced(call[0])) return false;
    const isDone = await this.send(...call);
    this.#tried.set(name, isDone ? Number.POSITIVE_INFINITY : this.now);
    return isDone;
  }

  /** What the duties of a keeper work with, all of it this walk's. */
  context(party: Party): JobContext {
    const { world } = this;
    const done = new Set<string>();
    const client = {
      chainId: world.deployment.chainId,
      public: world.chain.client,
    } as unknown as ChainClient;
    return {
      operator: world.address(party),
      client,
      agreed: { client, contracts: world.contracts },
      deployment: world.deployment,
      contracts: world.contracts,
      queue: {
        send: async ({ key, ...call }: Call & { key: string }) => {
          const refused = new TransactionFailedError("the chain refuses it", { key });
          const turn = `${key}@${this.now}`;
          if (done.has(key) || done.has(turn) || this.isSilenced(party)) throw refused;
          done.add(turn);
          const action = await this.#submit(party, call);
          if (action?.sent.isRight !== true) throw refused;
          done.add(key);
          return {};
        },
      } as unknown as JobContext["queue"],
      log,
      ledger: this.jobs,
      metrics: {} as JobContext["metrics"],
    };
  }

  close(): void {
    this.#state.close();
  }

  async #submit(from: Party, call: Call): Promise<Action | undefined> {
    if (this.isSilenced(from)) return undefined;
    const { world } = this;
    const contract = world.contractAt(call.to);
    const { functionName, args = [] } = decodeFunctionData({ abi: abis[contract!] as Abi, data: call.data });
    const sent = await world.chain.send(world.address(from), call);
    const action: Action = {
      ...{ at: sent.at, from: world.address(from), contract, name: functionName },
      ...{ args: args as readonly unknown[], value: call.value, sent },
    };
    this.actions.push(action);
    this.#take(action);
    return action;
  }

  #take(action: Action): void {
    const events = action.sent.logs.flatMap((raw) => this.#decode(raw) ?? []);
    this.#state.transaction(() => {
      for (const event of events) {
        jobLedgerHandler.applied(event, this.#state);
        ledgerHandler.applied(event, this.#state);
        committeeHandler.applied(event, this.#state);
      }
    });
    this.ledger.observe(action, events, this.truth);
    for (const event of events) {
      this.events.push(event);
      for (const time of timesIn(event.args)) {
        if (time > action.at && time < action.at + farthest) {
          this.#wakes.add(time);
          this.#wakes.add(time + 1);
        }
      }
      for (const listener of this.#listeners) listener(event);
    }
  }

  #decode(raw: Log): AssayEvent | undefined {
    const [blockNumber, logIndex] = [BigInt(raw.blockNumber!), Number(raw.logIndex)];
    return decodeEvent(this.#followed, { ...raw, blockNumber, logIndex } as never);
  }

  partyAt(address: Hex): Party | undefined {
    return partyNames.find((party) => isAddressEqual(this.world.address(party), address));
  }
}

/** Numbers of an event that may be times: deadlines that somebody will have to keep. */
function timesIn(value: unknown): number[] {
  if (typeof value === "bigint") return value < 1n << 40n ? [Number(value)] : [];
  if (typeof value === "number") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(timesIn);
}
