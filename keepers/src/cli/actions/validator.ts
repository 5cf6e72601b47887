import { join } from "node:path";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { type Address, formatUnits, type Hex } from "viem";
import { type Contracts, encodeCall } from "../../chain/contracts.ts";
import { explainRevert } from "../../chain/revert.ts";
import { createJobStorage } from "../../roles/jobs/job-storage.ts";
import { readingAgreed } from "../../roles/storage-node/context.ts";
import { loadOrCreateBlsSecret } from "../../roles/validator/bls-secret.ts";
import { EnrolledPeers } from "../../roles/validator/enrolled-peers.ts";
import { Enroller } from "../../roles/validator/enroller.ts";
import { libp2pIntervals } from "../../roles/validator/interval-source.ts";
import { Libp2pExchange } from "../../roles/validator/libp2p-exchange.ts";
import { openValidator } from "../../roles/validator/validator.ts";
import { createStorageClient } from "../../storage/client/client.ts";
import { createHost } from "../../storage/transport/host.ts";
import { loadOrCreateIdentity } from "../../storage/transport/identity.ts";
import type { CommandContext } from "../context.ts";
import { ConfigurationError, UsageError } from "../errors.ts";
import { keeperOptions } from "../jobs.ts";
import { type FetchingOptions, limitsOf, startKeeper } from "../run-keeper.ts";
import { sendOnce } from "../send-once.ts";
import { engineOf, runtimeOf } from "../training/engines.ts";

type WeightOptions = { weight: number; stake?: bigint; topUp?: bigint; lower?: boolean };

export type ValidatorCommandOptions = FetchingOptions &
  WeightOptions & {
    listen: string[];
    announce?: string[];
    turn: number;
    budget?: number;
    link: number;
    payTo?: Address;
  };

export type EnrolOptions = WeightOptions & { endpoint: string; data?: string };

const role = "validator";
const bytesPerMegabit = 125_000;

/** `assay validator run` */
export async function runValidator(context: CommandContext, options: ValidatorCommandOptions): Promise<void> {
  const { listen, announce, weight, stake, turn: turnSeconds, budget, link, payTo } = options;
  const run = await startKeeper(context, role, options);
  const { chain, deployment, dataDirectory } = run.options;
  const privateKey = await loadOrCreateIdentity(dataDirectory);
  const enrolled = EnrolledPeers.of(chain, deployment);
  const isRegistered = (peer: string) => enrolled.has(peer);
  const host = await createHost({
    isRegistered,
    privateKey,
    listen,
    announce,
    localNetwork: context.usesLocalNetwork(deployment),
  });
  context.onClose(() => host.stop());
  const endpoint = host.getMultiaddrs()[0]?.toString();
  if (endpoint === undefined) {
    throw new ConfigurationError("the validator listens nowhere", {
      next: "Name an address with --listen, and with --announce what others reach it at.",
    });
  }
  const client = createStorageClient({ chain, deployment, host });
  context.onClose(() => client.peers.close());
  const engine = await runtimeOf(options.engine);
  const validator = await openValidator({
    ...run.options,
    storage: createJobStorage(client),
    executor: await engineOf(options.engine),
    limits: limitsOf(options),
    exchange: new Libp2pExchange({
      ...{ host, endpoint, contracts: client.contracts, isRegistered },
      isOnDuty: (peer) => enrolled.isOnDuty(peer),
    }),
    enrolled,
    topUp: options.topUp,
    lowers: options.lower,
    weight,
    stake,
    turnSeconds,
    budget,
    fetchTime: options.fetchTime,
    ...(engine !== undefined &&
      link > 0 && {
        handedOver: {
          open: libp2pIntervals(host, client.contracts),
          engine,
          bytesPerSecond: link * bytesPerMegabit,
        },
      }),
    payTo,
  });
  await run.until(validator, { endpoint });
}

/** `assay validator enrol` */
export async function enrol(context: CommandContext, options: EnrolOptions): Promise<void> {
  const { endpoint, weight, stake } = options;
  const folder = options.data === undefined ? join(context.home, role) : context.path(options.data);
  const { account, log } = await keeperOptions(context, folder);
  const { chain, deployment, contracts } = await context.network();
  const peerId = peerIdFromPrivateKey(await loadOrCreateIdentity(folder)).toMultihash().bytes;
  const enroller = new Enroller({
    ...{ operator: account.address, account, client: chain, deployment, contracts, log },
    agreed: readingAgreed({ client: chain, contracts, deployment }),
    queue: await context.queue(),
    exchange: { identity: { peerId, endpoint } },
    secret: await loadOrCreateBlsSecret(folder, { account, deployment }),
    weight,
    stake,
  });
  await enroller.tick();
  await validatorStatus(context, {});
}

/** `assay validator status` */
export async function validatorStatus(
  context: CommandContext,
  options: { operator?: Address },
): Promise<void> {
  const { contracts, chain } = await context.network();
  const operator = options.operator ?? (await context.account()).address;
  const { ValidatorSet, Staking } = contracts;
  const id = await ValidatorSet.read.idOf([operator]);
  if (id === 0n) {
    context.output.result({ operator, enrolled: false }, [
      `${operator} is not enrolled`,
      "`assay validator run` enrols the account.",
    ]);
    return;
  }
  const [validator, rotation, unit, period, { timestamp }] = await Promise.all([
    ValidatorSet.read.validatorOf([id]),
    ValidatorSet.read.rotation(),
    ValidatorSet.read.unit(),
    ValidatorSet.read.period(),
    chain.public.getBlock({ blockTag: "latest" }),
  ]);
  const [total, locked] = await Promise.all([
    ValidatorSet.read.totalWeight([rotation + 1]),
    Staking.read.lockedBy([operator, ValidatorSet.address]),
  ]);
  const { weight, duties, exitAt } = validator;
  const nextRotation = (rotation + 1) * period;
  const isOut = exitAt !== 0 && weight === 0;
  const hasLeft = isOut && !(await mayResign(contracts, operator));
  const free = exitAt < timestamp ? "now" : `from ${date(exitAt)}`;
  context.output.result(
    {
      ...{ operator, enrolled: true, id, weight, unit, totalWeight: total, duties, locked },
      ...{ rotation, nextRotation, leaves: hasLeft ? exitAt : null },
    },
    [
      `operator   ${operator}, validator ${id}`,
      `weight     ${weight} of ${total} from the next rotation on (${date(nextRotation)}); a unit is ${show(unit)}`,
      `committees ${duties} on which it has duties`,
      `locked     ${show(locked)}`,
      hasLeft
        ? `left       the stake is free ${free}: run \`assay validator leave\` again then`
        : isOut
          ? `left       no, but its stake is less than a unit: its place is free ${free}, unless \`assay validator enrol\` raises its weight before`
          : "left       no",
    ],
  );
}

/** `assay validator lower` */
export async function lowerWeight(context: CommandContext, weight: number): Promise<void> {
  const { contracts, deployment } = await context.network();
  const { address: operator } = await context.account();
  const { ValidatorSet } = contracts;
  const id = await ValidatorSet.read.idOf([operator]);
  const present = id === 0n ? 0 : (await ValidatorSet.read.validatorOf([id])).weight;
  if (weight >= present) {
    throw new UsageError(`the weight of ${operator} is ${present}, which is not above ${weight}`, {
      next: "`assay validator enrol --weight` raises it; `assay validator leave` ends it.",
    });
  }
  const call = encodeCall(deployment, "ValidatorSet", "lower", [BigInt(weight)]);
  const transaction = await sendOnce(context, `validator lower ${id} ${weight}`, () => call);
  const { exitAt } = await ValidatorSet.read.validatorOf([id]);
  context.output.result({ operator, id, weight, before: present, freeFrom: exitAt, transaction }, [
    `The weight is ${weight} from the next rotation on, no longer ${present} (${transaction}).`,
    `What is locked beyond it is free from ${date(exitAt)} on, once its committees are over: \`assay validator run\` unlocks it.`,
  ]);
}

/** `assay validator leave` */
export async function leave(context: CommandContext): Promise<void> {
  const { contracts, deployment } = await context.network();
  const { address: operator } = await context.account();
  const { ValidatorSet } = contracts;
  const id = await ValidatorSet.read.idOf([operator]);
  if (id === 0n) {
    context.output.result({ operator, enrolled: false, transactions: [] }, `${operator} is not enrolled`);
    return;
  }
  const transactions: Hex[] = [];
  const before = await ValidatorSet.read.validatorOf([id]);
  if (before.exitAt === 0 || before.weight !== 0 || (await mayResign(contracts, operator))) {
    const call = encodeCall(deployment, "ValidatorSet", "resign", []);
    transactions.push(await sendOnce(context, `validator resign ${id}`, () => call));
  }
  const { exitAt, duties } = await ValidatorSet.read.validatorOf([id]);
  // The contract alone knows which of its committees bind a validator that has left.
  const isFree = await ValidatorSet.simulate
    .release([id], { account: operator })
    .then(() => true)
    .catch((error: unknown) => {
      if (explainRevert(error) === undefined) throw error;
      return false;
    });
  if (isFree) {
    const call = encodeCall(deployment, "ValidatorSet", "release", [id]);
    transactions.push(await sendOnce(context, `validator release ${id}`, () => call));
  }
  context.output.result({ operator, id, leaves: exitAt, duties, released: isFree, transactions }, [
    isFree
      ? `${operator} has left; its stake is unlocked. \`assay stake unbond\` takes it out.`
      : `${operator} is drawn no more from the next rotation on. Its stake is locked until ${date(exitAt)}${duties === 0 ? "" : `, and for the exit delay after the last of its ${duties} committees is dismissed`}.`,
    ...(isFree ? [] : ["Keep `assay validator run` running until then: whoever was drawn is accountable."]),
  ]);
}

/** Whether a validator has not resigned yet: one that was slashed to nothing leaves, too, and may come back. */
function mayResign(contracts: Contracts, operator: Address): Promise<boolean> {
  return contracts.ValidatorSet.simulate
    .resign({ account: operator })
    .then(() => true)
    .catch((error: unknown) => {
      if (explainRevert(error) === undefined) throw error;
      return false;
    });
}

function date(seconds: number): string {
  return new Date(seconds * 1_000).toISOString();
}

function show(units: bigint): string {
  return `${formatUnits(units, 18)} tokens`;
}
