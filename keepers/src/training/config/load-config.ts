import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { TrainingConfigError } from "./errors.ts";
import { parseConfig } from "./parse.ts";
import type { DatasetConfig, TrainingConfig } from "./schema.ts";

/** A configuration with absolute paths; those in the file start at its own folder. */
export type LoadedConfig = Omit<TrainingConfig, "dataset" | "validation"> & {
  dataset: DatasetConfig;
  validation?: Omit<DatasetConfig, "split">;
};

/**
 * @param source stands in for the configuration's dataset; a path in it is absolute
 * @throws TrainingConfigError
 */
export async function loadConfig(path: string, source?: string): Promise<LoadedConfig> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new TrainingConfigError(
      `${path} cannot be read: ${existsSync(path) ? String(cause) : "there is no such file"}.`,
      {
        cause,
        next: "Name a YAML or JSON file; `assay train --schema` prints what it may say.",
      },
    );
  });
  const config = withAbsolutePaths(parseConfig(text, basename(path)), dirname(resolve(path)));
  return source === undefined ? config : { ...config, dataset: { ...config.dataset, source } };
}

/** Whether a source is no path: built in, downloaded or stored. */
export function isNamedDataset(source: string): boolean {
  return /^(digits|mnist(:(train|test))?|0x[0-9a-fA-F]{64})$/.test(source);
}

function withAbsolutePaths(config: TrainingConfig, folder: string): LoadedConfig {
  const { dataset, validation, model } = config;
  return {
    ...config,
    dataset: located(dataset, folder),
    validation: validation === undefined ? undefined : located(validation, folder),
    model: model.kind === "onnx" ? { ...model, path: resolve(folder, model.path) } : model,
  };
}

function located(dataset: TrainingConfig["dataset"], folder: string): DatasetConfig {
  const config: DatasetConfig = typeof dataset === "string" ? { source: dataset } : dataset;
  const { source, kind, labels } = config;
  const known = kind === undefined && isNamedDataset(source);
  return {
    ...config,
    source: known ? source : resolve(folder, source),
    labels: labels === undefined ? undefined : resolve(folder, labels),
  };
}
