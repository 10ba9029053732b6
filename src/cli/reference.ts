/** The part of docs/cli.md that lists every command and option: made from the commands themselves. */
import { Command, Help } from 'commander';
import { HELP, withGateway, withJson } from './options.ts';

/** Options that most commands share, told once. */
const COMMON: ReadonlyMap<string, string> = new Map(
  withJson(withGateway(new Command())).options.map(({ flags, description }) => [flags, description]),
);

function optionLine(help: Help, option: Command['options'][number]): string {
  return `- \`${option.flags}\`: ${help.optionDescription(option)}`;
}

/** `moiety sim run [options] [files...]` */
function usageOf(command: Command, path: string): string {
  const words = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
    return argument.required ? ` <${name}>` : ` [${name}]`;
  });
  return `${path}${words.join('')}`;
}

/** Its summary, or else the first sentence of its description. */
function summaryOf(command: Command): string {
  return (command.summary() || command.description()).replace(/\.( .*)?$/s, '');
}

function commandLines(command: Command, path: string, help: Help): string[] {
  const here = `${path} ${command.name()}`;
  const options = help.visibleOptions(command).filter(({ long }) => long !== '--help');
  const isCommon = ({ flags, description }: (typeof options)[number]): boolean =>
    COMMON.get(flags) === description;
  const common = options.filter(isCommon).map(({ flags }) => `\`${flags.split(' ')[0]}\``);
  const also = common.length === 0 ? '' : ` Common: ${common.join(', ')}.`;
  const own = options.filter((option) => !isCommon(option)).map((option) => optionLine(help, option));
  const groups = command.commands.filter((child) => child.name() !== 'help');
  return [
    '',
    `**\`${usageOf(command, here)}\`**: ${summaryOf(command)}.${also}`,
    ...(own.length === 0 ? [] : ['', ...own]),
    ...groups.flatMap((child) => commandLines(child, here, help)),
  ];
}

/** What the section begins with on the page. */
const HEADING = '## Every command and option\n\n';

/** The section, in Markdown: each command with its arguments and options, in the order of `moiety --help`. */
function commandReference(program: Command): string {
  const help = Object.assign(new Help(), HELP);
  const common = withJson(withGateway(new Command())).options.map((option) => optionLine(help, option));
  return [
    'Common options, named only below:',
    '',
    ...common,
    ...program.commands.flatMap((command) => commandLines(command, program.name(), help)),
    '',
  ].join('\n');
}

/** The page with the section as it should be; everything before its heading stays as it is. */
export function withReference(page: string, program: Command): string {
  const at = page.indexOf(HEADING);
  return `${at < 0 ? `${page}\n` : page.slice(0, at)}${HEADING}${commandReference(program)}`;
}
