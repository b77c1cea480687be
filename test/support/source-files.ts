import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { PACKAGE_ROOT } from "../../lib/package-root.js";

const SOURCE_FOLDERS = ["lib", "services", "shards", "tools", "test"];

/** Every TypeScript file of the project, as a path from its root; AssemblyScript is not TypeScript. */
export function sourceFiles(): string[] {
  return SOURCE_FOLDERS.filter((folder) => existsSync(join(PACKAGE_ROOT, folder)))
    .flatMap((folder) =>
      readdirSync(join(PACKAGE_ROOT, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
        .map((entry) => relative(PACKAGE_ROOT, join(entry.parentPath, entry.name))),
    )
    .filter((file) => !file.includes("/assembly/"));
}
