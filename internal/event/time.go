package event

import "time"

// timeOf reads a timestamp as both logs write it, RFC 3339; what is absent is the zero time.
func timeOf(v Value) (time.Time, error) {
	if v.Kind() != String {
		return time.Time{}, nil
	}
	if t, ok := utc(v.raw[1 : len(v.raw)-1]); ok {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, v.String())
	return t.UTC(), err
}

// utc reads 2026-11-23T01:32:38.868281Z, with any number of decimals up to nine. It knows no other form, and is there
// because every event's time is read.
func utc(s []byte) (time.Time, bool) {
	n := len(s)
	if n < len("2026-11-23T01:32:38Z") || n > len("2026-11-23T01:32:38.868281000Z") || n == len("2026-11-23T01:32:38.Z") ||
		s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[n-1] != 'Z' {
		return time.Time{}, false
	}
	century, year, month, day := two(s), two(s[2:]), two(s[5:]), two(s[8:])
	hour, minute, second := two(s[11:]), two(s[14:]), two(s[17:])
	nanos := 0
	if n > 20 {
		if s[19] != '.' {
			return time.Time{}, false
		}
		for i := 20; i < 29; i++ {
			digit := 0
			if i < n-1 {
				if digit = int(s[i] - '0'); digit > 9 {
					return time.Time{}, false
				}
			}
			nanos = nanos*10 + digit
		}
	}
	// A day of 29 or more may not exist in its month: time.Parse knows.
	if century < 1 || year < 0 || month < 1 || month > 12 || day < 1 || day > 28 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return time.Time{}, false
	}
	days := daysTo(century*100+year, month) + day - 1
	return time.Unix(int64(days*86400+hour*3600+minute*60+second), int64(nanos)).UTC(), true
}

// two reads two digits; negative if they are none.
func two(s []byte) int {
	a, b := s[0]-'0', s[1]-'0'
	if a > 9 || b > 9 {
		return -1
	}
	return int(a)*10 + int(b)
}

// daysTo returns the days from 1970 to the first of a month, by counting years from March on: the day that a leap year has
// more is then its last, and the months before it follow one line.
func daysTo(year, month int) int {
	if month -= 2; month <= 0 {
		month += 12
		year--
	}
	return 365*year + year/4 - year/100 + year/400 + 367*month/12 - 719498
}
