import { ResultFraudProven } from "../generated/ResultFraud/ResultFraud";
import { jobOfClaim } from "./orders";
import { operator, record } from "./record";

export function handleResultFraudProven(event: ResultFraudProven): void {
  const row = record(event, "ResultFraud", "ResultFraudProven");
  row.job = jobOfClaim(event.params.claimId);
  row.dataset = event.params.resultId;
  row.operator = event.params.claimant;
  row.save();
  operator(event.params.claimant);
}
