import { BigInt, Bytes, ethereum } from "@graphprotocol/graph-ts";
import { WorkerRound } from "../generated/schema";
import {
  Claimed,
  DemandAnswered,
  Demanded,
  Forced,
  Included,
  RootPosted,
  RoundClosed,
  RoundOpened,
} from "../generated/WorkerRewards/WorkerRewards";
import { bidId } from "./orders";
import { payment } from "./payments";
import { operator, record, zero } from "./record";

const contract = "WorkerRewards";

function note(event: ethereum.Event, name: string, job: BigInt, provider: Bytes): void {
  const row = record(event, contract, name);
  row.job = job.toString();
  row.operator = provider;
  row.save();
}

function roundOf(job: BigInt, provider: Bytes): WorkerRound {
  const id = bidId(job, provider);
  const existing = WorkerRound.load(id);
  if (existing != null) return existing;
  operator(provider);
  const created = new WorkerRound(id);
  created.job = job.toString();
  created.provider = provider;
  created.surety = zero;
  created.workers = zero;
  created.deposit = zero;
  created.paid = zero;
  created.forced = zero;
  created.isClosed = false;
  return created;
}

function pay(event: ethereum.Event, job: BigInt, provider: Bytes, worker: Bytes, amount: BigInt): void {
  const paid = payment(event, "WorkerPay", worker, amount);
  paid.job = job.toString();
  paid.save();
  const round = roundOf(job, provider);
  round.paid = round.paid.plus(amount);
  round.save();
}

export function handleRoundOpened(event: RoundOpened): void {
  const round = roundOf(event.params.jobId, event.params.provider);
  round.surety = event.params.surety;
  round.save();
  note(event, "RoundOpened", event.params.jobId, event.params.provider);
}

export function handleRootPosted(event: RootPosted): void {
  const round = roundOf(event.params.jobId, event.params.provider);
  round.root = event.params.root;
  round.workers = event.params.workers;
  round.deposit = event.params.deposit;
  round.save();
  note(event, "RootPosted", event.params.jobId, event.params.provider);
}

export function handleClaimed(event: Claimed): void {
  pay(event, event.params.jobId, event.params.provider, event.params.worker, event.params.amount);
  note(event, "Claimed", event.params.jobId, event.params.provider);
}

export function handleIncluded(event: Included): void {
  pay(event, event.params.jobId, event.params.provider, event.params.worker, event.params.amount);
  note(event, "Included", event.params.jobId, event.params.provider);
}

export function handleForced(event: Forced): void {
  pay(event, event.params.jobId, event.params.provider, event.params.worker, event.params.amount);
  const round = roundOf(event.params.jobId, event.params.provider);
  round.forced = round.forced.plus(event.params.amount);
  round.save();
  note(event, "Forced", event.params.jobId, event.params.provider);
}

export function handleDemanded(event: Demanded): void {
  note(event, "Demanded", event.params.jobId, event.params.provider);
}

export function handleDemandAnswered(event: DemandAnswered): void {
  note(event, "DemandAnswered", event.params.jobId, event.params.provider);
}

export function handleRoundClosed(event: RoundClosed): void {
  const round = roundOf(event.params.jobId, event.params.provider);
  round.isClosed = true;
  round.save();
  note(event, "RoundClosed", event.params.jobId, event.params.provider);
}

export function handleWithdrawn(event: ethereum.Event): void {
  record(event, contract, "Withdrawn").save();
}

export function handleBurnFlushed(event: ethereum.Event): void {
  record(event, contract, "BurnFlushed").save();
}

export function handleEIP712DomainChanged(event: ethereum.Event): void {
  record(event, contract, "EIP712DomainChanged").save();
}
