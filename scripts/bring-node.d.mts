export declare const leastNode: string;
export declare function isRecent(version: string): boolean;
export declare function nodePackage(
  packageJson: { readonly optionalDependencies: Readonly<Record<string, string>> },
  platform?: string,
  arch?: string,
): string | undefined;
export declare function nodeBelow(modules: string, name: string): string;
export declare function npmOn(node: string): { command: string; args: string[]; shell: boolean };
export declare function bringNode(root: string, name: string, folder: string): string;
