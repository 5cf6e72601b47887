import { join } from "node:path";
import { peerIdFromPrivateKey, peerIdFromString } from "@libp2p/peer-id";
import { type Address, bytesToHex, formatUnits, type Hex } from "viem";
import { addressOf, encodeCall } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment.ts";
import { stakeModules } from "../../chain/stake-modules.ts";
import { peerIdText } from "../../storage/client/peers.ts";
import { signPermit } from "../../storage/client/permit.ts";
import { parseEndpoint } from "../../storage/transport/endpoint.ts";
import { loadOrCreateIdentity } from "../../storage/transport/identity.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";
import { sendOnce } from "../send-once.ts";

/** `IStaking.Role`, in the order of its bits. */
export const roleNames = ["storage", "provider", "validator", "challenger"] as const;
const everyRole = (1 << roleNames.length) - 1;
const decimals = 18;

export type ApproveOptions = { roles?: string; cap?: bigint; none: boolean };

export type RegisterOptions = { endpoint: string; data?: string; roles: string };

/** `assay stake status` */
export async function status(context: CommandContext, options: { operator?: Address }): Promise<void> {
  const { contracts, chain, deployment } = await context.network();
  const operator = options.operator ?? (await context.account()).address;
  const { Staking, AssayToken } = contracts;
  const [state, [peerId, endpoint], credit, tickets, balance, { timestamp }] = await Promise.all([
    Staking.read.operatorOf([operator]),
    Staking.read.identityOf([operator]),
    Staking.read.creditOf([operator]),
    Staking.read.ticketsOf([operator]),
    AssayToken.read.balanceOf([operator]),
    chain.public.getBlock({ blockTag: "latest" }),
  ]);
  const unbonding = await Promise.all(
    tickets.map(async (ticket) => {
      const { amount, availableAt } = await Staking.read.ticketOf([ticket]);
      return { ticket, amount, availableAt, ripe: availableAt <= timestamp };
    }),
  );
  const approvals = await Promise.all(
    stakeModules(deployment, everyRole).map(async ({ contract, address }) => ({
      contract,
      cap: await Staking.read.capOf([operator, address]),
      locked: await Staking.read.lockedBy([operator, address]),
    })),
  );
  const roles = roleNames.filter((_, bit) => (state.roles & (1 << bit)) !== 0);
  const peer = peerId === "0x" ? null : peerIdText(peerId);
  const registered = state.registeredAt > 0n;
  const { active, stake, locked } = state;
  context.output.result(
    {
      operator,
      registered,
      active,
      roles,
      peerId: peer,
      endpoint,
      stake,
      locked,
      approvals,
      balance,
      credit,
      unbonding,
    },
    [
      `operator   ${operator}${registered ? (active ? "" : " (retired)") : " (not registered)"}`,
      `roles      ${roles.join(", ") || "none"}`,
      `endpoint   ${endpoint || "none"}`,
      `peer id    ${peer ?? "none"}`,
      `stake      ${show(stake)}, of which ${show(locked)} are locked for duties`,
      ...approvals
        .filter(({ cap }) => cap !== 0n)
        .map(
          ({ contract, cap, locked }) =>
            `approved   ${contract} may lock ${show(cap)}, has locked ${show(locked)}`,
        ),
      `unbonding  ${unbonding.length === 0 ? "nothing" : unbonding.map(ticketText).join("; ")}`,
      `credit     ${show(credit)}`,
      `balance    ${show(balance)}`,
    ],
  );
}

/** `assay stake register` */
export async function registerOperator(context: CommandContext, options: RegisterOptions): Promise<void> {
  const roles = roleMask(options.roles);
  const peerId = await registeredPeer(context, options);
  const { contracts, deployment } = await context.network();
  const { address: operator } = await context.account();
  const { active } = await contracts.Staking.read.operatorOf([operator]);
  const action = active ? "update" : "register";
  const args = [roles, bytesToHex(peerId), options.endpoint] as const;
  const transaction = await sendOnce(context, `stake ${action} ${args.join(" ")}`, () =>
    encodeCall(deployment, "Staking", action, args),
  );
  context.output.result(
    { operator, action, peerId: peerIdText(args[1]), endpoint: options.endpoint, transaction },
    [`${operator} is ${active ? "updated" : "registered"} (${transaction})`],
  );
}

/** `assay stake add`: staking, and approvals of the roles' contracts for the whole stake, in one transaction. */
export async function add(
  context: CommandContext,
  amount: bigint,
  options: { approve: boolean },
): Promise<void> {
  const { contracts, deployment, chain } = await context.network();
  const account = await context.account();
  const { read } = contracts.Staking;
  const before = await read.operatorOf([account.address]);
  const cap = before.stake + amount;
  const modules = options.approve ? stakeModules(deployment, before.roles) : [];
  const caps = await Promise.all(modules.map(({ address }) => read.capOf([account.address, address])));
  const approved = modules.filter((_, i) => (caps[i] as bigint) < cap);
  const what = `stake add ${amount} ${approved.map(({ contract }) => contract).join(",")}`;
  const transaction = await sendOnce(context, what, async () => {
    const spender = addressOf(deployment, "Staking");
    const { deadline, v, r, s } = await signPermit(
      { account, contracts, chain, deployment },
      spender,
      amount,
    );
    const staking = encodeCall(deployment, "Staking", "stakeWithPermit", [amount, deadline, v, r, s]);
    const approvals = approved.map(({ address }) => approvalOf(deployment, address, cap));
    return encodeCall(deployment, "Staking", "multicall", [[staking.data, ...approvals]]);
  });
  const { stake } = await read.operatorOf([account.address]);
  const names = approved.map(({ contract }) => contract);
  context.output.result({ operator: account.address, added: amount, stake, approved: names, transaction }, [
    `${show(amount)} staked; the stake is ${show(stake)} now (${transaction})`,
    ...approved.map(({ contract, purpose }) => `${contract} may lock ${show(cap)} of it for ${purpose}`),
  ]);
}

/** `assay stake approve` */
export async function approve(context: CommandContext, options: ApproveOptions): Promise<void> {
  const { contracts, deployment } = await context.network();
  const { address: operator } = await context.account();
  const { read } = contracts.Staking;
  const { roles, stake } = await read.operatorOf([operator]);
  const modules = stakeModules(deployment, options.roles === undefined ? roles : roleMask(options.roles));
  if (modules.length === 0) {
    throw new UsageError("no contract locks stake for these roles", {
      next: "Register with `assay stake register` first, or name the roles with --roles.",
    });
  }
  const wanted = options.none ? 0n : (options.cap ?? stake);
  const caps = await Promise.all(
    modules.map(async ({ address }) => {
      // A cap goes no lower than what is locked: that much stays until the duties are over.
      const locked = await read.lockedBy([operator, address]);
      return locked > wanted ? locked : wanted;
    }),
  );
  const what = `stake approve ${modules.map(({ contract }, i) => `${contract} ${caps[i]}`).join(" ")}`;
  const transaction = await sendOnce(context, what, () =>
    encodeCall(deployment, "Staking", "multicall", [
      modules.map(({ address }, i) => approvalOf(deployment, address, caps[i] as bigint)),
    ]),
  );
  const approvals = modules.map(({ contract, purpose }, i) => ({
    contract,
    purpose,
    cap: caps[i] as bigint,
  }));
  context.output.result({ operator, approvals, transaction }, [
    ...approvals.map(({ contract, purpose, cap }) => `${contract} may lock ${show(cap)} for ${purpose}`),
    `It can slash what it has locked, and nothing else (${transaction}).`,
  ]);
}

/** `assay stake unbond` */
export async function unbond(context: CommandContext, amount: bigint): Promise<void> {
  const { contracts, deployment } = await context.network();
  const { address: operator } = await context.account();
  const transaction = await sendOnce(context, `stake unbond ${amount}`, () =>
    encodeCall(deployment, "Staking", "unbond", [amount]),
  );
  const { stake, unbonding } = await contracts.Staking.read.operatorOf([operator]);
  context.output.result({ operator, unbonded: amount, stake, unbonding, transaction }, [
    `${show(amount)} on the way out; the stake is ${show(stake)} now (${transaction})`,
    "`assay stake status` shows when it can be withdrawn.",
  ]);
}

/** `assay stake retire` */
export async function retire(context: CommandContext): Promise<void> {
  const { contracts, deployment } = await context.network();
  const { address: operator } = await context.account();
  const { active } = await contracts.Staking.read.operatorOf([operator]);
  if (!active) {
    context.output.result(
      { operator, retired: true, transaction: null },
      `${operator} is no active operator`,
    );
    return;
  }
  const transaction = await sendOnce(context, "stake retire", () =>
    encodeCall(deployment, "Staking", "retire", []),
  );
  const { stake, locked } = await contracts.Staking.read.operatorOf([operator]);
  context.output.result({ operator, retired: true, stake, locked, transaction }, [
    `${operator} takes no new duties (${transaction})`,
    `stake      ${show(stake)}, of which ${show(locked)} are locked for duties; \`assay stake unbond\` takes out the rest`,
  ]);
}

/** `assay stake withdraw` */
export async function withdraw(context: CommandContext, options: { to?: Address }): Promise<void> {
  const { contracts, deployment, chain } = await context.network();
  const { address: operator } = await context.account();
  const to = options.to ?? operator;
  const { Staking } = contracts;
  const { timestamp } = await chain.public.getBlock({ blockTag: "latest" });
  const transactions: Hex[] = [];
  let amount = 0n;
  for (const ticket of await Staking.read.ticketsOf([operator])) {
    const entry = await Staking.read.ticketOf([ticket]);
    if (entry.availableAt > timestamp || entry.amount === 0n) continue;
    const call = encodeCall(deployment, "Staking", "withdraw", [ticket, to]);
    transactions.push(await sendOnce(context, `stake withdraw ${ticket} ${to}`, () => call));
    amount += entry.amount;
  }
  const credit = await Staking.read.creditOf([operator]);
  if (credit > 0n) {
    const call = encodeCall(deployment, "Staking", "withdrawCredit", [to]);
    transactions.push(await sendOnce(context, `stake withdraw credit ${to}`, () => call));
    amount += credit;
  }
  context.output.result({ operator, to, withdrawn: amount, transactions }, [
    transactions.length === 0 ? "There is nothing to withdraw yet." : `${show(amount)} withdrawn to ${to}`,
  ]);
}

function approvalOf(deployment: Deployment, module: Address, cap: bigint): Hex {
  return encodeCall(deployment, "Staking", "approve", [module, cap]).data;
}

function roleMask(text: string): number {
  let mask = 0;
  for (const word of text.split(",")) {
    const bit = (roleNames as readonly string[]).indexOf(word.trim());
    if (bit < 0) throw new UsageError(`"${word}" is no role`, { next: `Roles are ${roleNames.join(", ")}.` });
    mask |= 1 << bit;
  }
  return mask;
}

/** Peer id as it stands on chain: the one in the multiaddr, else that of the keeper's data folder. */
async function registeredPeer(
  context: CommandContext,
  { endpoint, data }: RegisterOptions,
): Promise<Uint8Array> {
  let named: string | undefined;
  try {
    named = parseEndpoint(endpoint)
      .flatMap((address) => address.getComponents())
      .find(({ name }) => name === "p2p")?.value;
  } catch (cause) {
    throw new UsageError(`${JSON.stringify(endpoint)} is not a multiaddr`, {
      cause,
      next: "Write it like /dns4/keeper.example.org/tcp/4701.",
    });
  }
  if (named !== undefined) return peerIdFromString(named).toMultihash().bytes;
  const folder = data === undefined ? join(context.home, "keeper") : context.path(data);
  return peerIdFromPrivateKey(await loadOrCreateIdentity(folder)).toMultihash().bytes;
}

function ticketText({
  amount,
  ripe,
  availableAt,
}: {
  amount: bigint;
  ripe: boolean;
  availableAt: bigint;
}): string {
  return `${show(amount)} ${ripe ? "ready" : `from ${new Date(Number(availableAt) * 1000).toISOString()}`}`;
}

function show(amount: bigint): string {
  return `${formatUnits(amount, decimals)} tokens`;
}
