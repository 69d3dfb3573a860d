# Looks from a host, by what Debian's perl-base holds (no Time::HiRes). Jobs come on standard input, a line each:
#   ports NUMBER MILLISECONDS ADDRESS PORTS          http NUMBER MILLISECONDS ADDRESS PORT LIMIT REQUEST-IN-HEX
# Answers, a line each, in any order, then "end":
#   ports NUMBER OPEN CLOSED FILTERED (lists, - = none)   http NUMBER ANSWER-IN-HEX   none NUMBER WHY   unknown NUMBER WHY
use strict;
use Socket qw(getaddrinfo SOCK_STREAM SOL_SOCKET SO_ERROR AF_INET unpack_sockaddr_in pack_sockaddr_in
  unpack_sockaddr_in6 pack_sockaddr_in6);
use Fcntl qw(F_SETFL O_NONBLOCK);
use Errno;
use POSIX ();
$SIG{PIPE} = 'IGNORE';
my $hertz = POSIX::sysconf(POSIX::_SC_CLK_TCK());
sub now { return (POSIX::times())[0] / $hertz }
my (@waiting, %busy, %told, %left, %result);

sub answer {
    my ($kind, $n, $text) = @_;
    return if $told{$n}++;
    $text =~ s/[\r\n]+/ /g;
    print "$kind $n $text\n";
}

while (my $line = <STDIN>) {
    chomp $line;
    my ($kind, $n, $ms, $address, @rest) = split / /, $line;
    my ($error, @found) = getaddrinfo($address, '', { socktype => SOCK_STREAM });
    if ($error || !@found) { answer('unknown', $n, "$address has no address: $error"); next }
    my %job = (n => $n, kind => $kind, seconds => $ms / 1000, errno => 0);
    if ($kind eq 'http') {
        push @waiting, { %job, targets => [@found], port => $rest[0], limit => $rest[1], out => pack('H*', $rest[2]), in => '' };
        next;
    }
    for my $range (split /,/, $rest[0]) {
        my ($from, $to) = split /-/, $range;
        for my $port ($from .. $to // $from) {
            $left{$n}++;
            push @waiting, { %job, targets => [@found], port => $port };
        }
    }
}

sub address {
    my ($target, $port) = @_;
    if ($target->{family} == AF_INET) { return pack_sockaddr_in($port, (unpack_sockaddr_in($target->{addr}))[1]) }
    my (undef, $ip, $scope) = unpack_sockaddr_in6($target->{addr});
    return pack_sockaddr_in6($port, $ip, $scope);
}

sub attempt {
    my $c = shift;
    while (my $target = shift @{ $c->{targets} }) {
        my $socket;
        if (!socket($socket, $target->{family}, SOCK_STREAM, 0)) { $c->{errno} = $! + 0; next }
        fcntl($socket, F_SETFL, O_NONBLOCK);
        $c->{until} = now() + $c->{seconds} if $c->{kind} eq 'ports' || !$c->{until};
        if (connect($socket, address($target, $c->{port})) || $!{EINPROGRESS}) {
            $c->{socket} = $socket;
            $c->{state}  = 'connecting';
            $busy{ fileno $socket } = $c;
            return;
        }
        $c->{errno} = $! + 0;
    }
    failed($c);
}

sub failed {
    my $c = shift;
    $! = $c->{errno};
    my $refused = $!{ECONNREFUSED};
    my $no      = $refused || $!{ETIMEDOUT} || $!{EHOSTUNREACH} || $!{ENETUNREACH} || $!{EACCES} || $!{EPERM};
    if    (!$no)                  { answer('unknown', $c->{n}, "no socket for port $c->{port}: $!") }
    elsif ($c->{kind} eq 'http')  { answer('none', $c->{n}, "port $c->{port}: $!") }
    else                          { settle($c, $refused ? 'closed' : 'filtered') }
}

sub settle {
    my ($c, $state) = @_;
    my $n = $c->{n};
    push @{ $result{$n}{$state} }, $c->{port};
    return if --$left{$n};
    my @lists = map { my $ports = $result{$n}{$_}; $ports ? join(',', sort { $a <=> $b } @$ports) : '-' } qw(open closed filtered);
    answer('ports', $n, "@lists");
}

sub drop {
    my $c = shift;
    delete $busy{ fileno $c->{socket} };
    close delete $c->{socket};
}

sub ready {
    my $c = shift;
    if ($c->{state} eq 'connecting') {
        my $errno = unpack('i', getsockopt($c->{socket}, SOL_SOCKET, SO_ERROR));
        if ($errno) { drop($c); $c->{errno} = $errno; attempt($c); return }
        if ($c->{kind} eq 'ports') { drop($c); settle($c, 'open'); return }
        $c->{state} = 'writing';
    }
    if ($c->{state} eq 'writing') {
        my $sent = syswrite($c->{socket}, $c->{out});
        if (!defined $sent) { finish($c) if !$!{EAGAIN}; return }
        $c->{connect} //= $c->{out} =~ /^(?:CONNECT|HEAD) /;
        substr($c->{out}, 0, $sent, '');
        $c->{state} = 'reading' if $c->{out} eq '';
        return;
    }
    my $got = sysread($c->{socket}, $c->{in}, 16384, length $c->{in});
    return if !defined $got && $!{EAGAIN};
    finish($c) if !$got || length $c->{in} >= $c->{limit} || complete($c);
}

# A far side that keeps the connection, as a proxy does after CONNECT, is not waited for.
sub complete {
    my $c = shift;
    $c->{in} =~ /^(.*?\r\n)\r\n/s or return 0;
    my ($head, $body) = ($1, length($c->{in}) - $+[0]);
    return 0 if $head =~ m{^HTTP/\S+ 1\d\d};
    return 1 if $c->{connect} || $head =~ m{^HTTP/\S+ (?:204|304)};
    return $c->{in} =~ /\r\n0\r\n\r\n\z/ if $head =~ /^transfer-encoding:.*chunked/im;
    return $head =~ /^content-length:\s*(\d+)/im && $body >= $1;
}

sub finish {
    my $c = shift;
    drop($c);
    answer('http', $c->{n}, unpack('H*', substr($c->{in}, 0, $c->{limit})));
}

while (@waiting || %busy) {
    attempt(shift @waiting) while @waiting && keys(%busy) < 400;
    my ($read, $write) = ('', '');
    for my $c (values %busy) {
        if ($c->{state} eq 'reading') { vec($read, fileno $c->{socket}, 1) = 1 }
        else                          { vec($write, fileno $c->{socket}, 1) = 1 }
    }
    select($read, $write, undef, 0.05) if %busy;
    for my $number (keys %busy) {
        my $c = $busy{$number} or next;
        if (vec($read, $number, 1) || vec($write, $number, 1)) { ready($c); next }
        next if now() < $c->{until};
        if ($c->{state} ne 'connecting') { finish($c); next }
        drop($c);
        $c->{errno} = Errno::ETIMEDOUT();
        if ($c->{kind} eq 'http') { failed($c) }
        else                      { attempt($c) }
    }
}
print "end\n";
