import { useEffect, useState } from 'react';
import type { DeviceInfo } from '../backend/queries';
import { useLatestStore } from '../backend/services';

export interface Activity {
  active: boolean;
  lastActivityTime: number | null;
}

/**
 * A device's activity, moved on by the values that arrive while it is shown: the server's
 * figure comes with the list, every few seconds only.
 */
export function useActivity(device: DeviceInfo): Activity {
  const store = useLatestStore({ type: 'TIMESERIES', entity: device.id });
  const [heard, setHeard] = useState(0);
  useEffect(
    () =>
      store.onPoints((_, first) => {
        if (!first) setHeard(Date.now());
      }),
    [store],
  );
  const last = Math.max(device.lastActivityTime ?? 0, heard);
  return { active: device.active || heard > (device.lastActivityTime ?? 0), lastActivityTime: last || null };
}
