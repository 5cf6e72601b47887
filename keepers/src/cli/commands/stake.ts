import { join } from "node:path";
import { peerIdFromPrivateKey, peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import type { Command } from "commander";
import { type Address, bytesToHex, formatUnits, type Hex } from "viem";
import { addressOf, encodeCall } from "../../chain/contracts.ts";
import { peerIdText } from "../../storage/client/peers.ts";
import { signPermit } from "../../storage/client/permit.ts";
import { loadOrCreateIdentity } from "../../storage/transport/identity.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";
import type { Register } from "../register.ts";
import { sendOnce } from "../send-once.ts";
import { address, tokens } from "./options.ts";

/** `IStaking.Role`, in the order of its bits. */
const roleNames = ["storage", "provider", "validator", "challenger"] as const;
const decimals = 18;

/** `assay stake`: the account as an operator. */
export function stakeCommands(program: Command, register: Register): void {
  const stake = program.command("stake").description("operators: register, stake, unbond, withdraw");

  stake
    .command("status")
    .option("--operator <address>", "another operator than the account that acts", address)
    .description("show registration, stake and what can be withdrawn")
    .addHelpText("after", "\nExample:\n  $ assay stake status --operator 0x7099…79C8")
    .action(register.action((context, options: { operator?: Address }) => status(context, options)));

  stake
    .command("register")
    .requiredOption("--endpoint <multiaddr>", "where other keepers reach this one")
    .option(
      "--data <folder>",
      "the keeper's data folder, which holds its network identity; by default the one in --home",
    )
    .option("--roles <list>", `what it does, of ${roleNames.join(", ")}`, "storage")
    .description("register the account as an operator, or change what it registered")
    .addHelpText("after", "\nExample:\n  $ assay stake register --endpoint /dns4/keeper.example.org/tcp/4701")
    .action(register.action((context, options: RegisterOptions) => registerOperator(context, options)));

  stake
    .command("add")
    .argument("<amount>", "tokens", tokens)
    .description("add tokens to the stake")
    .addHelpText("after", "\nExample:\n  $ assay stake add 1000")
    .action(register.action((context, amount: bigint) => add(context, amount)));

  stake
    .command("unbond")
    .argument("<amount>", "tokens", tokens)
    .description("start to take unlocked stake out; it can be withdrawn after the unbonding delay")
    .addHelpText("after", "\nExample:\n  $ assay stake unbond 250.5")
    .action(register.action((context, amount: bigint) => unbond(context, amount)));

  stake
    .command("withdraw")
    .option("--to <address>", "who gets the tokens; the account by default", address)
    .description("withdraw unbonded stake whose delay is over, and credits")
    .addHelpText("after", "\nExample:\n  $ assay stake withdraw")
    .action(register.action((context, options: { to?: Address }) => withdraw(context, options)));
}

type RegisterOptions = { endpoint: string; data?: string; roles: string };

async function status(context: CommandContext, options: { operator?: Address }): Promise<void> {
  const { contracts, chain } = await context.network();
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
      `unbonding  ${unbonding.length === 0 ? "nothing" : unbonding.map(ticketText).join("; ")}`,
      `credit     ${show(credit)}`,
      `balance    ${show(balance)}`,
    ],
  );
}

async function registerOperator(context: CommandContext, options: RegisterOptions): Promise<void> {
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

async function add(context: CommandContext, amount: bigint): Promise<void> {
  const { contracts, deployment, chain } = await context.network();
  const account = await context.account();
  const transaction = await sendOnce(context, `stake add ${amount}`, async () => {
    const spender = addressOf(deployment, "Staking");
    const { deadline, v, r, s } = await signPermit(
      { account, contracts, chain, deployment },
      spender,
      amount,
    );
    return encodeCall(deployment, "Staking", "stakeWithPermit", [amount, deadline, v, r, s]);
  });
  const { stake } = await contracts.Staking.read.operatorOf([account.address]);
  context.output.result({ operator: account.address, added: amount, stake, transaction }, [
    `${show(amount)} staked; the stake is ${show(stake)} now (${transaction})`,
  ]);
}

async function unbond(context: CommandContext, amount: bigint): Promise<void> {
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

async function withdraw(context: CommandContext, options: { to?: Address }): Promise<void> {
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

function roleMask(text: string): number {
  let mask = 0;
  for (const word of text.split(",")) {
    const bit = roleNames.findIndex((role) => role === word.trim());
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
    named = multiaddr(endpoint)
      .getComponents()
      .findLast(({ name }) => name === "p2p")?.value;
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
