// Colours of lines, told apart on the ground of each scheme.

const light = ['#0b7f95', '#e8590c', '#6741d9', '#2b8a3e', '#c2255c', '#1971c2', '#a67c00', '#495057', '#087f5b', '#9c36b5', '#5c940d', '#d6336c'];
const dark = ['#3bc9db', '#ffa94d', '#9f8cff', '#69db7c', '#f783ac', '#74c0fc', '#ffd43b', '#ced4da', '#38d9a9', '#da77f2', '#a9e34b', '#faa2c1'];

export const mostLines = light.length;

export function lineColor(index: number, isDark: boolean): string {
  const palette = isDark ? dark : light;
  return palette[index % palette.length] ?? '#888888';
}
