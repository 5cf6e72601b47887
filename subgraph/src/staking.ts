import { Bytes, ethereum } from "@graphprotocol/graph-ts";
import { Lock, Slash } from "../generated/schema";
import {
  Locked,
  ModuleApproved,
  OperatorRegistered,
  OperatorRetired,
  OperatorUpdated,
  Slashed,
  Staked,
  Unbonding,
  Unlocked,
  Withdrawn,
} from "../generated/Staking/Staking";
import { day, eventId, network, operator, reasonOf, record, zero } from "./record";

const contract = "Staking";

function lockOf(account: Bytes, module: Bytes): Lock {
  const id = account.concat(module);
  const existing = Lock.load(id);
  if (existing != null) return existing;
  const created = new Lock(id);
  created.operator = account;
  created.module = module;
  created.amount = zero;
  created.cap = zero;
  return created;
}

export function handleOperatorRegistered(event: OperatorRegistered): void {
  const row = record(event, contract, "OperatorRegistered");
  row.operator = event.params.operator;
  row.save();
  const registered = operator(event.params.operator);
  registered.roles = event.params.roles;
  registered.peerId = event.params.peerId;
  registered.endpoint = event.params.endpoint;
  registered.isActive = true;
  registered.registeredAt = event.block.timestamp;
  registered.save();
  const total = network();
  total.operators += 1;
  total.save();
}

export function handleOperatorUpdated(event: OperatorUpdated): void {
  const row = record(event, contract, "OperatorUpdated");
  row.operator = event.params.operator;
  row.save();
  const updated = operator(event.params.operator);
  updated.roles = event.params.roles;
  updated.peerId = event.params.peerId;
  updated.endpoint = event.params.endpoint;
  updated.save();
}

export function handleOperatorRetired(event: OperatorRetired): void {
  const row = record(event, contract, "OperatorRetired");
  row.operator = event.params.operator;
  row.save();
  const retired = operator(event.params.operator);
  retired.isActive = false;
  retired.save();
  const total = network();
  total.operators -= 1;
  total.save();
}

export function handleStaked(event: Staked): void {
  const row = record(event, contract, "Staked");
  row.operator = event.params.operator;
  const staker = operator(event.params.operator);
  row.save();
  staker.staked = staker.staked.plus(event.params.amount);
  staker.save();
  const total = network();
  total.staked = total.staked.plus(event.params.amount);
  total.save();
}

export function handleModuleApproved(event: ModuleApproved): void {
  const row = record(event, contract, "ModuleApproved");
  row.operator = event.params.operator;
  row.save();
  // A row of its own for an account that approves before it registers.
  operator(event.params.operator).save();
  const lock = lockOf(event.params.operator, event.params.module);
  lock.cap = event.params.cap;
  lock.save();
}

export function handleLocked(event: Locked): void {
  const row = record(event, contract, "Locked");
  row.operator = event.params.operator;
  row.save();
  const held = lockOf(event.params.operator, event.params.module);
  held.amount = held.amount.plus(event.params.amount);
  held.save();
  const staker = operator(event.params.operator);
  staker.locked = staker.locked.plus(event.params.amount);
  staker.save();
}

export function handleUnlocked(event: Unlocked): void {
  const row = record(event, contract, "Unlocked");
  row.operator = event.params.operator;
  row.save();
  const held = lockOf(event.params.operator, event.params.module);
  held.amount = held.amount.minus(event.params.amount);
  held.save();
  const staker = operator(event.params.operator);
  staker.locked = staker.locked.minus(event.params.amount);
  staker.save();
}

export function handleUnbonding(event: Unbonding): void {
  const row = record(event, contract, "Unbonding");
  row.operator = event.params.operator;
  row.save();
  const staker = operator(event.params.operator);
  staker.staked = staker.staked.minus(event.params.amount);
  staker.unbonded = staker.unbonded.plus(event.params.amount);
  staker.save();
  const total = network();
  total.staked = total.staked.minus(event.params.amount);
  total.save();
}

export function handleWithdrawn(event: Withdrawn): void {
  const row = record(event, contract, "Withdrawn");
  row.save();
}

export function handleSlashed(event: Slashed): void {
  const row = record(event, contract, "Slashed");
  row.operator = event.params.operator;
  row.save();
  const slash = new Slash(eventId(event));
  slash.operator = event.params.operator;
  slash.module = event.params.module;
  slash.beneficiary = event.params.beneficiary;
  slash.amount = event.params.amount;
  slash.burnt = event.params.burnt;
  slash.reason = reasonOf(event.params.reason);
  slash.timestamp = event.block.timestamp;
  slash.transaction = event.transaction.hash;
  slash.save();
  // All of it comes out of what the module has locked.
  const held = lockOf(event.params.operator, event.params.module);
  const staker = operator(event.params.operator);
  held.amount = held.amount.minus(event.params.amount);
  held.save();
  staker.locked = staker.locked.minus(event.params.amount);
  staker.staked = staker.staked.minus(event.params.amount);
  staker.slashed = staker.slashed.plus(event.params.amount);
  staker.save();
  const total = network();
  total.staked = total.staked.minus(event.params.amount);
  total.slashed = total.slashed.plus(event.params.amount);
  total.burnt = total.burnt.plus(event.params.burnt);
  total.save();
  const today = day(event);
  today.slashed = today.slashed.plus(event.params.amount);
  today.save();
}

export function handleBurnFlushed(event: ethereum.Event): void {
  record(event, contract, "BurnFlushed").save();
}

export function handleParametersSet(event: ethereum.Event): void {
  record(event, contract, "ParametersSet").save();
}

export function handlePaused(event: ethereum.Event): void {
  record(event, contract, "Paused").save();
}

export function handleUnpaused(event: ethereum.Event): void {
  record(event, contract, "Unpaused").save();
}

export function handleAuthorityUpdated(event: ethereum.Event): void {
  record(event, contract, "AuthorityUpdated").save();
}
