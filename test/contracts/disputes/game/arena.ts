/** A chain with the game on it, and both sides of a dispute played to its end. */
import type { ContractReturnType } from "@nomicfoundation/hardhat-viem/types";
import { network } from "hardhat";
import { type Abi, type Account, getContract, type Hex, parseEther, parseEventLogs, toHex } from "viem";
import { trainingHash } from "../../../../keepers/src/core/exact/order.ts";
import type { ClaimedRun } from "../../../../keepers/src/training/dispute/claimed-run.ts";
import { challengeOf, type OpeningMove } from "../../../../keepers/src/training/dispute/find-interval.ts";
import { traceTreeOf } from "../../../../keepers/src/training/dispute/leaves.ts";
import type { MislabelledSample } from "../../../../keepers/src/training/dispute/mislabelled-player.ts";
import {
  books,
  encodeMove,
  type Move,
  ownerOf,
  packSums,
  type Round,
  type StageName,
  stageOf,
  unpackSums,
} from "../../../../keepers/src/training/dispute/moves.ts";
import { nextMove } from "../../../../keepers/src/training/dispute/next-move.ts";
import type { OwnRun } from "../../../../keepers/src/training/dispute/own-run.ts";
import { claimsAbi } from "./claims-abi.ts";
import { type DisputeEvent, type DisputeHistory, historyOf } from "./history.ts";
import { type RecordedMove, recordMove } from "./recorded.ts";
import type { Job, Story } from "./story.ts";
import { runOf } from "./told-run.ts";

export const terms = {
  challengerBond: parseEther("1"),
  refundPrice: 50_000_000_000n,
  window: 14_400,
  extension: 600,
  grace: 3_600,
};
/** Until when claims can be challenged: in 2037. No byte of it is 0, so that a move costs the same at any time of day. */
const farAway = 0x7f7f_7f7fn;

/** What `Challenge.others` says after a timeout was called. */
const timeoutCalled = 2 ** 16 - 1;
export const providerBond = parseEther("4");
export const jobId = 7n;

export type Step = { readonly name: string; readonly gas: number; readonly bytes: number };
export type Ending = "convicted" | "lost" | "stuck";

/** What a test makes of a dispute. */
export type PlayOptions = {
  /** A move in the place of the player's. */
  readonly pick?: (round: Round, stage: StageName) => Promise<Move | undefined> | Move | undefined;
  /** Added to the first sum that the provider posts. */
  readonly tilt?: bigint;
  /** Who challenged. */
  readonly account?: Account;
  /** Encodes a move in another way than usual. */
  readonly encode?: (round: Round, move: Move) => Hex;
  /** Of a job that is void: what the challenger shows. */
  readonly sample?: MislabelledSample;
  /** Hears of each move. */
  readonly onMove?: (move: RecordedMove) => void;
};

export async function createArena() {
  const { viem, networkHelpers } = await network.create();
  const publicClient = await viem.getPublicClient();
  const [deployer, provider, challenger, ...others] = await viem.getWalletClients();
  const double = await viem.deployContract("ClaimsDouble");
  const claims = getContract({
    address: double.address,
    abi: claimsAbi,
    client: { public: publicClient, wallet: deployer! },
  });
  const descent = await viem.deployContract("DescentRules");
  const element = await viem.deployContract("ElementRules");
  const sum = await viem.deployContract("SumRules");
  const range = await viem.deployContract("RangeRules");
  const input = await viem.deployContract("InputRules");
  const voids = await viem.deployContract("VoidRules");
  const deployed = await viem.deployContract("DisputeGame", [
    claims.address,
    descent.address,
    element.address,
    sum.address,
    range.address,
    input.address,
    voids.address,
  ]);
  // What the rules revert with comes through the game as it is, and is in no ABI but theirs.
  const rules: readonly Abi[] = [descent.abi, element.abi, sum.abi, range.abi, input.abi];
  const errors = rules.flatMap((abi) => abi.filter((item) => item.type === "error"));
  const game = getContract({
    address: deployed.address,
    abi: [...deployed.abi, ...errors],
    client: { public: publicClient, wallet: deployer! },
  }) as unknown as ContractReturnType<"DisputeGame">;
  await claims.write.setGame([game.address]);

  const claimOf = (story: Story) => claimWith(story.job, story.trace().root);

  /** What a provider claims of an order, with a trace. */
  const claimWith = ({ program, order }: Pick<OwnRun, "program" | "order">, traceRoot: Hex) => ({
    provider: provider!.account.address,
    challengeUntil: farAway,
    traceRoot,
    programRoot: order.programRoot,
    trainingHash: trainingHash(order),
    steps: BigInt(order.steps),
    interval: BigInt(order.interval),
    logMicroBatches: BigInt(Math.log2(order.microBatches)),
    nodeCounts: program.tapes.map((tape) => BigInt(tape.length)) as unknown as readonly [
      bigint,
      bigint,
      bigint,
    ],
    witnessNode: BigInt(program.witness),
    slots: BigInt(program.state.length),
  });

  async function open(claimed: Story, id = jobId, with_ = terms): Promise<void> {
    await claims.write.open([id, claimOf(claimed), with_], { value: providerBond });
  }

  /** Opens a job whose trace is the one of a run. */
  async function openRun(run: ClaimedRun, id: bigint): Promise<void> {
    const traceRoot = toHex(traceTreeOf(await run.leaves()).root);
    await claims.write.open([id, claimWith(run, traceRoot), terms], { value: providerBond });
  }

  return {
    ...playOn({
      publicClient,
      networkHelpers,
      game,
      provider: provider!.account,
      challenger: challenger!.account,
      bond: terms.challengerBond,
    }),
    viem,
    networkHelpers,
    publicClient,
    game,
    claims,
    accounts: { deployer: deployer!, provider: provider!, challenger: challenger!, others },
    open,
    openRun,
    claimOf,
    contracts: { descent, element, sum, range, input, voids },
  };
}

type Connection = Awaited<ReturnType<typeof network.create>>;
/** What disputes are played on. */
export type Stage = {
  readonly publicClient: Awaited<ReturnType<Connection["viem"]["getPublicClient"]>>;
  readonly networkHelpers: Connection["networkHelpers"];
  readonly game: ContractReturnType<"DisputeGame">;
  readonly provider: Account;
  readonly challenger: Account;
  /** What a challenge takes, in wei. */
  readonly bond: bigint;
};

/** Both sides of disputes in a game, whatever registry it asks. */
export function playOn({ publicClient, networkHelpers, game, provider, challenger, bond }: Stage) {
  async function measured(name: string, hash: Hex): Promise<Step> {
    const receipt = await publicClient.waitForTransactionReceipt({ hash });
    const { input: data } = await publicClient.getTransaction({ hash });
    return { name, gas: Number(receipt.gasUsed), bytes: (data.length - 2) / 2 };
  }

  /** How a challenge stands, from its events alone. */
  async function disputeOf(id: bigint): Promise<DisputeHistory> {
    const range = { fromBlock: 0n } as const;
    const logs = [
      ...(await game.getEvents.Challenged({ challengeId: id }, range)),
      ...(await game.getEvents.Moved({ challengeId: id }, range)),
      ...(await game.getEvents.Posted({ challengeId: id }, range)),
    ].sort((a, b) => Number(a.blockNumber - b.blockNumber) || a.logIndex - b.logIndex);
    return historyOf(
      logs.map(({ eventName, args }) => ({ name: eventName, ...args }) as unknown as DisputeEvent),
    );
  }

  async function roundOf(id: bigint): Promise<Round> {
    return (await disputeOf(id)).round;
  }

  const asChallenger = { account: challenger };
  const asProvider = { account: provider };

  async function play(
    id: bigint,
    round: Round,
    move: Move,
    account = accountOf(round),
    encode = encodeMove,
  ): Promise<Hex> {
    return game.write.play([id, books[move.book], encode(round, move)], { account });
  }

  function accountOf(round: Round, from: Account = challenger): Account {
    return ownerOf(round) === "provider" ? provider : from;
  }

  /** Challenges an interval whose leaves are known. */
  async function challenge(claimed: Story, interval: number, id = jobId, from = challenger) {
    return await openWith(challengeOf(await runOf(claimed).leaves(), interval), id, from);
  }

  /** Makes the move that opens a dispute. */
  async function openWith(move: OpeningMove, id: bigint, from = challenger) {
    const paid = { account: from, value: bond };
    const hash =
      move.kind === "challenge"
        ? await game.write.challenge([id, BigInt(move.interval), move.before, move.next], paid)
        : await game.write.challengeTrace([id], paid);
    const { logs } = await publicClient.waitForTransactionReceipt({ hash });
    const [event] = parseEventLogs({ abi: game.abi, logs, eventName: "Challenged" });
    return { id: event!.args.challengeId, step: await measured(move.kind, hash) };
  }

  async function endingOf(hash: Hex): Promise<Ending | undefined> {
    const { logs } = await publicClient.getTransactionReceipt({ hash });
    const names = new Set(parseEventLogs({ abi: game.abi, logs }).map(({ eventName }) => eventName));
    if (names.has("ProviderConvicted")) return "convicted";
    return names.has("ChallengeLost") ? "lost" : undefined;
  }

  /** Plays a challenge between two stories until it ends, or until somebody has no move. */
  function playOut(id: bigint, own: Story, claimed: Story, options: PlayOptions = {}) {
    return playRuns(id, runOf(own), runOf(claimed), options);
  }

  /** As `playOut`, with runs that both sides make anew before every move. */
  async function playRuns(
    id: bigint,
    own: OwnRun | (() => OwnRun),
    claimed: ClaimedRun | (() => ClaimedRun),
    { pick, tilt, account, encode, onMove, sample }: PlayOptions = {},
  ): Promise<{ steps: Step[]; ending: Ending; last: StageName }> {
    const steps: Step[] = [];
    const sampled = sample && { sample };
    for (;;) {
      const { round, answers } = await disputeOf(id);
      const last = stageOf(round);
      const picked = await pick?.(round, last);
      const move =
        picked ??
        (ownerOf(round) === "provider"
          ? tilted(await nextMove({ role: "provider", run: made(claimed) }, round), tilt)
          : await nextMove({ role: "challenger", own: made(own), answers, ...sampled }, round));
      onMove?.(recordMove(round, answers, move, picked !== undefined));
      if (move === undefined) return { steps, ending: "stuck", last };
      let hash: Hex;
      try {
        hash = await play(id, round, move, accountOf(round, account), encode);
      } catch (error) {
        // A side whose best move shows nothing has none.
        if (!/NothingShown/.test(String(error))) throw error;
        return { steps, ending: "stuck", last };
      }
      steps.push(await measured(move.name, hash));
      const ending = await endingOf(hash);
      if (ending !== undefined) return { steps, ending, last };
    }
  }

  /** Calls the timeout of whoever is to move, and waits until it may move for one more second. */
  async function lastSecond(id: bigint): Promise<void> {
    const deadline = await game.read.deadlineOf([id]);
    await networkHelpers.time.setNextBlockTimestamp(deadline + 1n);
    await game.write.callTimeout([id]);
    await networkHelpers.time.setNextBlockTimestamp(deadline + 1n + BigInt(terms.grace));
  }

  /** Lets the turn of a challenge run out. */
  async function timeOut(id: bigint): Promise<Step[]> {
    const steps: Step[] = [];
    await networkHelpers.time.increase(7 * 86_400 + 1);
    const [, , , others] = await game.read.challenges([id]);
    if (others !== timeoutCalled) {
      steps.push(await measured("callTimeout", await game.write.callTimeout([id])));
      await networkHelpers.time.increase(terms.grace + 1);
    }
    const hash = await game.write.executeTimeout([id]);
    steps.push(await measured("executeTimeout", hash));
    return steps;
  }

  return {
    asChallenger,
    asProvider,
    openWith,
    challenge,
    disputeOf,
    roundOf,
    play,
    playOut,
    playRuns,
    timeOut,
    lastSecond,
    endingOf,
    measured,
  };
}

function made<T extends object>(run: T | (() => T)): T {
  return typeof run === "function" ? (run as () => T)() : run;
}

/** Sums of which the first is another one. */
function tilted(move: Move | undefined, tilt = 0n): Move | undefined {
  if (move?.name !== "postSums") return move;
  const sums = unpackSums(move.args[0] as Hex);
  return { ...move, args: [packSums([sums[0]! + tilt, ...sums.slice(1)])] };
}

export type Arena = Awaited<ReturnType<typeof createArena>>;
export type { Job };
