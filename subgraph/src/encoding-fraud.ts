import { EncodingFraudProven } from "../generated/EncodingFraud/EncodingFraud";
import { Dataset } from "../generated/schema";
import { record } from "./record";

export function handleEncodingFraudProven(event: EncodingFraudProven): void {
  const row = record(event, "EncodingFraud", "EncodingFraudProven");
  row.dataset = event.params.datasetId;
  row.save();
  const dataset = Dataset.load(event.params.datasetId)!;
  dataset.isFraudulent = true;
  dataset.save();
}
