import { CheckpointClosed, CheckpointPosted, TimeoutCalled } from "../generated/Instalments/Instalments";
import { Checkpoint } from "../generated/schema";
import { operator, record, zero } from "./record";

const contract = "Instalments";

export function handleCheckpointPosted(event: CheckpointPosted): void {
  const job = event.params.jobId.toString();
  const row = record(event, contract, "CheckpointPosted");
  row.job = job;
  row.operator = event.params.provider;
  row.save();
  operator(event.params.provider);
  const checkpoint = new Checkpoint(job + "-" + event.params.number.toString());
  checkpoint.job = job;
  checkpoint.number = event.params.number.toI32();
  checkpoint.provider = event.params.provider;
  checkpoint.steps = event.params.steps;
  checkpoint.traceRoot = event.params.traceRoot;
  checkpoint.stateRoot = event.params.stateRoot;
  checkpoint.leavesDigest = event.params.leavesDigest;
  checkpoint.result = event.params.resultId;
  checkpoint.challengeUntil = event.params.challengeUntil;
  checkpoint.isClosed = false;
  checkpoint.paid = zero;
  checkpoint.postedAt = event.block.timestamp;
  checkpoint.save();
}

export function handleTimeoutCalled(event: TimeoutCalled): void {
  const row = record(event, contract, "TimeoutCalled");
  row.job = event.params.jobId.toString();
  row.save();
}

export function handleCheckpointClosed(event: CheckpointClosed): void {
  const job = event.params.jobId.toString();
  const row = record(event, contract, "CheckpointClosed");
  row.job = job;
  row.save();
  const checkpoint = Checkpoint.load(job + "-" + event.params.number.toString())!;
  checkpoint.isClosed = true;
  checkpoint.paid = event.params.paid;
  checkpoint.save();
}
