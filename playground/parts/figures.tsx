/** Numbers with their names. */
export function Figures({ of: figures }: { of: readonly (readonly [name: string, value: string])[] }) {
  if (figures.length === 0) return null;
  return (
    <dl class="figures">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
