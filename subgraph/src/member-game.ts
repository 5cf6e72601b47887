import { Address, BigInt, ethereum } from "@graphprotocol/graph-ts";
import {
  AccusationLost,
  AccusationSettled,
  Accused,
  JobVoid,
  MemberConvicted,
  MemberPunished,
  Moved,
  Posted,
  TimeoutCalled,
} from "../generated/MemberGame/MemberGame";
import { Accusation, Event } from "../generated/schema";
import { operator, record } from "./record";

const contract = "MemberGame";

function accusationOf(row: Event, id: BigInt): Accusation {
  const accusation = Accusation.load(id.toString())!;
  row.job = accusation.job;
  row.save();
  return accusation;
}

function end(event: ethereum.Event, accusation: Accusation, status: string): void {
  accusation.status = status;
  accusation.endedAt = event.block.timestamp;
  accusation.save();
}

/** The accusation of an event that names who made it. */
function ownAccusation(row: Event, id: BigInt, accuser: Address): Accusation {
  row.operator = accuser;
  return accusationOf(row, id);
}

export function handleAccused(event: Accused): void {
  const row = record(event, contract, "Accused");
  row.job = event.params.jobId.toString();
  row.operator = event.params.accuser;
  row.save();
  operator(event.params.accuser);
  const accusation = new Accusation(event.params.accusationId.toString());
  accusation.job = event.params.jobId.toString();
  accusation.attempt = event.params.attempt.toI32();
  accusation.position = event.params.position.toI32();
  accusation.member = event.params.member.toString();
  accusation.accuser = event.params.accuser;
  accusation.interval = event.params.interval;
  accusation.stage = 0;
  accusation.moveCount = 0;
  accusation.status = "Open";
  accusation.isPunished = false;
  accusation.openedAt = event.block.timestamp;
  accusation.save();
}

export function handleMoved(event: Moved): void {
  const accusation = accusationOf(record(event, contract, "Moved"), event.params.accusationId);
  accusation.stage = event.params.stage;
  accusation.moveCount += 1;
  accusation.save();
}

export function handlePosted(event: Posted): void {
  accusationOf(record(event, contract, "Posted"), event.params.accusationId);
}

export function handleTimeoutCalled(event: TimeoutCalled): void {
  accusationOf(record(event, contract, "TimeoutCalled"), event.params.accusationId);
}

export function handleAccusationLost(event: AccusationLost): void {
  const row = record(event, contract, "AccusationLost");
  end(event, ownAccusation(row, event.params.accusationId, event.params.accuser), "Lost");
}

export function handleMemberConvicted(event: MemberConvicted): void {
  const row = record(event, contract, "MemberConvicted");
  end(event, ownAccusation(row, event.params.accusationId, event.params.accuser), "Convicted");
}

export function handleAccusationSettled(event: AccusationSettled): void {
  const row = record(event, contract, "AccusationSettled");
  end(event, accusationOf(row, event.params.accusationId), "Settled");
}

export function handleMemberPunished(event: MemberPunished): void {
  const row = record(event, contract, "MemberPunished");
  const accusation = ownAccusation(row, event.params.accusationId, event.params.accuser);
  accusation.isPunished = true;
  accusation.save();
}

export function handleJobVoid(event: JobVoid): void {
  const row = record(event, contract, "JobVoid");
  row.job = event.params.jobId.toString();
  row.save();
}

export function handleBondBurnt(event: ethereum.Event): void {
  record(event, contract, "BondBurnt").save();
}

export function handleCreditWithdrawn(event: ethereum.Event): void {
  record(event, contract, "CreditWithdrawn").save();
}
