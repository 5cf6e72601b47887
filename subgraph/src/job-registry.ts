import { BigInt, Bytes, ethereum } from "@graphprotocol/graph-ts";
import {
  BondReleased,
  ConductMarked,
  JobAttested,
  JobCancelled,
  JobCommitted,
  JobExpired,
  JobFailed,
  JobFinalised,
  JobLocked,
  JobMatched,
  JobOpened,
  JobUnmatched,
  JobVoided,
  SettlementPending,
  TimeoutCalled,
} from "../generated/JobRegistry/JobRegistry";
import { Event, Job } from "../generated/schema";
import { orderOf, tupleOf } from "./orders";
import { day, network, operator, reasonOf, record, zero } from "./record";

const contract = "JobRegistry";

/** The job of an event, which is written down as one of the job's. */
function jobOf(row: Event, id: BigInt): Job {
  row.job = id.toString();
  row.save();
  return Job.load(id.toString())!;
}

function jobAndProvider(row: Event, id: BigInt, provider: Bytes): Job {
  row.operator = provider;
  operator(provider);
  return jobOf(row, id);
}

/** Where an end was reported before it was settled, it was one from then on. */
function end(event: ethereum.Event, job: Job, status: string): void {
  const isNew = job.endedAt === null;
  job.status = status;
  if (isNew) job.endedAt = event.block.timestamp;
  job.save();
  if (isNew && status == "Failed") countFailure(event, job);
}

function countFailure(event: ethereum.Event, job: Job): void {
  const total = network();
  total.jobsFailed += 1;
  total.save();
  const today = day(event);
  today.jobsFailed += 1;
  today.save();
  const account = job.provider;
  if (account === null) return;
  const provider = operator(account);
  provider.jobsFailed += 1;
  provider.save();
}

export function handleJobOpened(event: JobOpened): void {
  const order = orderOf(event, event.params.orderHash, tupleOf(event, "order"));
  if (order.training === null) order.training = event.params.training;
  order.save();
  const id = event.params.jobId.toString();
  const row = record(event, contract, "JobOpened");
  row.job = id;
  row.dataset = order.datasetId;
  row.save();
  const job = new Job(id);
  job.order = order.id;
  job.dataset = order.datasetId;
  job.consumer = event.params.consumer;
  job.status = "Open";
  job.price = zero;
  job.stake = zero;
  job.paid = zero;
  job.refunded = zero;
  job.slashed = zero;
  job.openedAt = event.block.timestamp;
  job.save();
  const total = network();
  total.jobs += 1;
  total.save();
  const today = day(event);
  today.jobsOpened += 1;
  today.save();
}

export function handleJobMatched(event: JobMatched): void {
  const job = jobAndProvider(record(event, contract, "JobMatched"), event.params.jobId, event.params.provider);
  job.provider = event.params.provider;
  job.price = event.params.price;
  job.stake = event.params.stake;
  job.status = "Matched";
  job.save();
}

export function handleJobUnmatched(event: JobUnmatched): void {
  const job = jobAndProvider(record(event, contract, "JobUnmatched"), event.params.jobId, event.params.provider);
  job.provider = null;
  job.status = "Open";
  job.save();
}

export function handleTimeoutCalled(event: TimeoutCalled): void {
  jobOf(record(event, contract, "TimeoutCalled"), event.params.jobId);
}

export function handleJobLocked(event: JobLocked): void {
  const job = jobAndProvider(record(event, contract, "JobLocked"), event.params.jobId, event.params.provider);
  job.stake = event.params.stake;
  job.commitUntil = event.params.commitUntil;
  job.status = "Training";
  job.save();
}

export function handleJobCommitted(event: JobCommitted): void {
  const job = jobAndProvider(record(event, contract, "JobCommitted"), event.params.jobId, event.params.provider);
  job.traceRoot = event.params.traceRoot;
  job.stateRoot = event.params.stateRoot;
  job.leavesDigest = event.params.leavesDigest;
  job.result = event.params.resultId;
  job.challengeUntil = event.params.challengeUntil;
  job.status = "Committed";
  job.save();
}

export function handleJobAttested(event: JobAttested): void {
  const job = jobOf(record(event, contract, "JobAttested"), event.params.jobId);
  job.status = "Attested";
  job.save();
}

export function handleJobFinalised(event: JobFinalised): void {
  const job = jobAndProvider(record(event, contract, "JobFinalised"), event.params.jobId, event.params.provider);
  end(event, job, "Finalised");
  const provider = operator(event.params.provider);
  provider.jobsFinalised += 1;
  provider.save();
  const total = network();
  total.jobsFinalised += 1;
  total.save();
  const today = day(event);
  today.jobsFinalised += 1;
  today.save();
}

export function handleJobCancelled(event: JobCancelled): void {
  end(event, jobOf(record(event, contract, "JobCancelled"), event.params.jobId), "Cancelled");
}

export function handleJobExpired(event: JobExpired): void {
  end(event, jobOf(record(event, contract, "JobExpired"), event.params.jobId), "Expired");
}

export function handleJobFailed(event: JobFailed): void {
  const job = jobAndProvider(record(event, contract, "JobFailed"), event.params.jobId, event.params.provider);
  job.reason = reasonOf(event.params.reason);
  job.slashed = event.params.slashed;
  end(event, job, "Failed");
}

export function handleJobVoided(event: JobVoided): void {
  end(event, jobOf(record(event, contract, "JobVoided"), event.params.jobId), "Void");
}

export function handleBondReleased(event: BondReleased): void {
  jobAndProvider(record(event, contract, "BondReleased"), event.params.jobId, event.params.provider);
}

export function handleSettlementPending(event: SettlementPending): void {
  const job = jobOf(record(event, contract, "SettlementPending"), event.params.jobId);
  const reason = reasonOf(event.params.reason);
  if (reason != "void") job.reason = reason;
  end(event, job, reason == "void" ? "Void" : "Failed");
}

export function handleConductMarked(event: ConductMarked): void {
  const row = record(event, contract, "ConductMarked");
  row.operator = event.params.provider;
  row.save();
  const provider = operator(event.params.provider);
  provider.conduct = event.params.multiplier;
  provider.save();
}

export function handleModulesSet(event: ethereum.Event): void {
  record(event, contract, "ModulesSet").save();
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
