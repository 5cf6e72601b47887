import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "../setup.ts";

const isProgram = (path: string) => {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
};

/** PATH without the programs of the project's own packages. */
export const pathWithoutPackages = () =>
  (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !folder.startsWith(join(root, "node_modules")))
    .join(delimiter);

/**
 * The path of a program that is no package of the project.
 * @param name on the PATH
 * @param variable of the environment that names it instead
 * @param version that the findings were read with
 */
export function programOf(name: string, variable: string, version: string): string {
  const named = process.env[variable];
  const places = [
    ...(named === undefined ? [] : [named]),
    ...(named === undefined
      ? pathWithoutPackages()
          .split(delimiter)
          .map((folder) => join(folder, name))
      : []),
  ];
  const found = places.find(isProgram);
  if (found !== undefined) return found;
  throw new Error(
    `${name} is not there${named === undefined ? "" : ` (${variable} names ${named})`}; nothing was analysed.\n` +
      `  What to do next: python3 -m venv analysers && analysers/bin/pip install ${version}\n` +
      `  and run the same command with ${variable}=analysers/bin/${name}, or with analysers/bin on the PATH`,
  );
}
