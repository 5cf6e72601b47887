/** A chain with the game on it, and both sides of a dispute played to its end. */
import { network } from "hardhat";
import {
  type Abi,
  decodeFunctionData,
  getContract,
  type Hex,
  keccak256,
  parseEther,
  parseEventLogs,
  toHex,
} from "viem";
import { challengerMove } from "./challenger.ts";
import { claimsAbi } from "./claims-abi.ts";
import {
  type Abis,
  books,
  encodeMove,
  type Move,
  providerStages,
  type Round,
  type StageName,
  stages,
} from "./moves.ts";
import { leavesOf, providerMove } from "./provider.ts";
import type { Job, Story } from "./story.ts";

export const terms = {
  challengerBond: parseEther("1"),
  refundPrice: 50_000_000_000n,
  window: 14_400,
  extension: 600,
  grace: 3_600,
};
export const providerBond = parseEther("4");
export const jobId = 7n;

export type Step = { readonly name: string; readonly gas: number; readonly bytes: number };
export type Ending = "convicted" | "lost" | "void" | "stuck";
export type Played = { readonly id: bigint; readonly steps: readonly Step[]; readonly ending: Ending };

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
  const game = await viem.deployContract("DisputeGame", [
    claims.address,
    descent.address,
    element.address,
    sum.address,
    range.address,
    input.address,
    voids.address,
  ]);
  await claims.write.setGame([game.address]);
  const abis: Abis = {
    descent: descent.abi as Abi,
    element: element.abi as Abi,
    sum: sum.abi as Abi,
    range: range.abi as Abi,
    input: input.abi as Abi,
  };
  const until = BigInt(await networkHelpers.time.latest()) + 3_650n * 86_400n;

  const claimOf = (story: Story) => {
    const { job } = story;
    const { order, program } = job;
    return {
      provider: provider!.account.address,
      challengeUntil: until,
      traceRoot: story.trace().root,
      programRoot: order.programRoot,
      trainingHash: keccak256(job.encodedOrder),
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
    };
  };

  async function measured(name: string, hash: Hex): Promise<Step> {
    const receipt = await publicClient.waitForTransactionReceipt({ hash });
    const { input: data } = await publicClient.getTransaction({ hash });
    return { name, gas: Number(receipt.gasUsed), bytes: (data.length - 2) / 2 };
  }

  /** The round of a challenge, from the last event alone. */
  async function roundOf(id: bigint): Promise<Round> {
    const logs = await game.getEvents.Moved({ challengeId: id }, { fromBlock: 0n });
    const [opened] = await game.getEvents.Challenged({ challengeId: id }, { fromBlock: 0n });
    const { stage, interval, position } = logs.at(-1)!.args;
    return { stage, interval, position, claim: opened!.args.claim } as unknown as Round;
  }

  /** What the provider posted last, as a cold start finds it. */
  async function postedSums(id: bigint): Promise<Hex | undefined> {
    const logs = await game.getEvents.Posted({ challengeId: id }, { fromBlock: 0n });
    const last = logs.at(-1);
    if (last === undefined) return undefined;
    const selectors = new Map(
      (["postSums", "answerWitnessSums"] as const).map((name) => [selectorOf(name), name]),
    );
    if (!selectors.has(last.args.selector!)) return undefined;
    const { input: data } = await publicClient.getTransaction({ hash: last.transactionHash });
    const { args } = decodeFunctionData({ abi: game.abi, data });
    const call = decodeFunctionData({ abi: abis.range, data: args![2] as Hex });
    return call.args!.at(-1) as Hex;
  }

  function selectorOf(name: string): Hex {
    const item = range.abi.find((each) => each.type === "function" && each.name === name);
    if (item?.type !== "function") throw new TypeError(name);
    const tuple = (component: { type: string; components?: readonly { type: string }[] }): string =>
      component.type.startsWith("tuple")
        ? `(${component.components!.map(tuple).join(",")})${component.type.slice(5)}`
        : component.type;
    return keccak256(toHex(`${name}(${item.inputs.map(tuple).join(",")})`)).slice(0, 10) as Hex;
  }

  const asChallenger = { account: challenger!.account };
  const asProvider = { account: provider!.account };

  async function play(id: bigint, round: Round, move: Move, account = ownerOf(round)): Promise<Hex> {
    return game.write.play([id, books[move.book], encodeMove(abis, round, move)], { account });
  }

  function ownerOf(round: Round) {
    return providerStages.has(stages[round.stage]!) ? provider!.account : challenger!.account;
  }

  async function open(claimed: Story, id = jobId, with_ = terms): Promise<void> {
    await claims.write.open([id, claimOf(claimed), with_], { value: providerBond });
  }

  /** Challenges an interval whose leaves are known. */
  async function challenge(claimed: Story, interval: number, id = jobId, from = challenger!.account) {
    const [before, next] = leavesOf(claimed, interval);
    const hash = await game.write.challenge([id, BigInt(interval), before, next], {
      account: from,
      value: terms.challengerBond,
    });
    const { logs } = await publicClient.waitForTransactionReceipt({ hash });
    const [event] = parseEventLogs({ abi: game.abi, logs, eventName: "Challenged" });
    return { id: event!.args.challengeId, step: await measured("challenge", hash) };
  }

  async function endingOf(hash: Hex): Promise<Ending | undefined> {
    const { logs } = await publicClient.getTransactionReceipt({ hash });
    const names = new Set(parseEventLogs({ abi: game.abi, logs }).map(({ eventName }) => eventName));
    if (names.has("ProviderConvicted")) return "convicted";
    if (names.has("ChallengeLost")) return "lost";
    return names.has("JobVoid") ? "void" : undefined;
  }

  /** Plays a challenge until it ends, or until somebody has no move. */
  async function playOut(
    id: bigint,
    own: Story,
    claimed: Story,
    pick: (round: Round, stage: StageName) => Promise<Move | undefined> | Move | undefined = () => undefined,
    tilt = 0n,
  ): Promise<{ steps: Step[]; ending: Ending; last: StageName }> {
    const steps: Step[] = [];
    for (;;) {
      const round = await roundOf(id);
      const stage = stages[round.stage]!;
      const isProviders = providerStages.has(stage);
      const picked = await pick(round, stage);
      const move =
        picked ??
        (isProviders
          ? providerMove(claimed, round, tilt)
          : challengerMove(own, claimed, round, stage === "Sum" ? await postedSums(id) : undefined));
      if (move === undefined) return { steps, ending: "stuck", last: stage };
      let hash: Hex;
      try {
        hash = await play(id, round, move);
      } catch (error) {
        // A side whose best move shows nothing has none.
        if (!/NothingShown/.test(String(error))) throw error;
        return { steps, ending: "stuck", last: stage };
      }
      steps.push(await measured(move.name, hash));
      const ending = await endingOf(hash);
      if (ending !== undefined) return { steps, ending, last: stage };
    }
  }

  async function timeOut(id: bigint): Promise<Step[]> {
    await networkHelpers.time.increase(7 * 86_400 + 1);
    const steps = [await measured("callTimeout", await game.write.callTimeout([id]))];
    await networkHelpers.time.increase(terms.grace + 1);
    const hash = await game.write.executeTimeout([id]);
    steps.push(await measured("executeTimeout", hash));
    return steps;
  }

  return {
    viem,
    networkHelpers,
    publicClient,
    game,
    claims,
    abis,
    accounts: { deployer: deployer!, provider: provider!, challenger: challenger!, others },
    asChallenger,
    asProvider,
    open,
    challenge,
    claimOf,
    roundOf,
    play,
    playOut,
    timeOut,
    endingOf,
    measured,
    contracts: { descent, element, sum, range, input, voids },
  };
}
export type Arena = Awaited<ReturnType<typeof createArena>>;
export type { Job };
