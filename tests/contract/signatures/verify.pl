#!/usr/bin/perl
# Verifies webhooks by the text of the Standard Webhooks specification alone, with what every Perl has.
# Takes a JSON list of {secret, headers, body} on standard input, the body in base64; prints a list of "valid" or why not.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256);
use JSON::PP;
use MIME::Base64;

use constant TOLERANCE_S => 5 * 60;

sub equal {    # without telling by its time how much of it fits
    my ($one, $other) = @_;
    return 0 if length $one != length $other;
    my $differs = 0;
    $differs |= ord(substr $one, $_, 1) ^ ord(substr $other, $_, 1) for 0 .. length($one) - 1;
    return $differs == 0;
}

sub verdict {
    my ($case) = @_;
    my ($id, $at, $signatures) = @{$case->{headers}}{qw(webhook-id webhook-timestamp webhook-signature)};
    return 'headers are missing' if grep { !defined } $id, $at, $signatures;
    return 'no time' if $at !~ /\A[0-9]+\z/;
    return 'too old' if $at < time - TOLERANCE_S;
    return 'too new' if $at > time + TOLERANCE_S;
    (my $secret = $case->{secret}) =~ s/\Awhsec_//;
    my $expected = encode_base64(hmac_sha256("$id.$at." . decode_base64($case->{body}), decode_base64($secret)), '');
    for my $one (split / /, $signatures) {
        my ($version, $signature) = split /,/, $one, 2;
        return 'valid' if $version eq 'v1' && equal($signature, $expected);
    }
    return 'no signature fits';
}

my $cases = decode_json(do { local $/; <STDIN> });
print encode_json([map { verdict($_) } @$cases]);
